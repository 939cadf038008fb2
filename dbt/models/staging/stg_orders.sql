select
    id as order_id,
    customer_id,
    status,
    {{ cents_to_amount('cast(amount_cents as integer)') }} as amount,
    placed_at,
    _loaded_at as loaded_at
from {{ source('raw', 'orders') }}
