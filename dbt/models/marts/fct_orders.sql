{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='order_id',
        on_schema_change='append_new_columns',
        dist='customer_id',
        sort='placed_at',
    )
}}

select
    orders.order_id,
    orders.customer_id,
    orders.status,
    orders.placed_at,
    orders.amount,
    coalesce(payments.amount, 0) as amount_paid,
    orders.loaded_at
from {{ ref('stg_orders') }} as orders
left join {{ ref('stg_payments') }} as payments
    on orders.order_id = payments.order_id
{% if is_incremental() %}
-- By when a row was loaded, not by when the order was placed: an order that comes in late is not lost.
where orders.loaded_at > (select coalesce(max(loaded_at), cast('1900-01-01' as timestamp)) from {{ this }})
{% endif %}
