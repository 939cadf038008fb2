select * from {{ ref('grows') }}
