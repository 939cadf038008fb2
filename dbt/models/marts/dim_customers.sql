{{ config(dist='customer_id', sort='customer_id') }}

select
    customers.customer_id,
    customers.email,
    customers.country_code,
    customers.created_at,
    min(orders.placed_at) as first_order_at,
    cast(count(orders.order_id) as integer) as order_count
from {{ ref('stg_customers') }} as customers
left join {{ ref('stg_orders') }} as orders
    on customers.customer_id = orders.customer_id
group by 1, 2, 3, 4
