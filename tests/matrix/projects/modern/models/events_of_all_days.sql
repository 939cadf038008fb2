{{ config(event_time='at') }}
select id, cast(at as timestamp) as at, amount from {{ ref('events') }}
