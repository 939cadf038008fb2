select id, word, cast(day as date) as day from {{ ref('numbers') }}
