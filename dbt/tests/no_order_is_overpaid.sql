select
    order_id,
    amount,
    amount_paid
from {{ ref('fct_orders') }}
where amount_paid > amount
