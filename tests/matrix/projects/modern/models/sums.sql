select sum(amount) as total from {{ ref('events_of_all_days') }}
