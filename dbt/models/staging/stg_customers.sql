select
    id as customer_id,
    email,
    country_code,
    created_at,
    _loaded_at as loaded_at
from {{ source('raw', 'customers') }}
