{{ config(severity='warn', store_failures=true) }}
select * from {{ ref('fine') }} where id > 1
