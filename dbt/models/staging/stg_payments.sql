select
    id as payment_id,
    order_id,
    method,
    {{ cents_to_amount('amount_cents') }} as amount,
    paid_at,
    _loaded_at as loaded_at
from {{ source('raw', 'payments') }}
