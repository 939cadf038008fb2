select id, word from {{ ref('numbers') }}
