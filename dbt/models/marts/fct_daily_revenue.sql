select
    cast(orders.placed_at as date) as day,
    customers.country_code,
    cast(count(*) as integer) as order_count,
    cast(sum(orders.amount) as numeric(12, 2)) as revenue
from {{ ref('fct_orders') }} as orders
inner join {{ ref('dim_customers') }} as customers
    on orders.customer_id = customers.customer_id
where orders.status <> 'returned'
group by 1, 2
