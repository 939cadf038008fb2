{{ config(materialized='incremental', unique_key='id', on_schema_change='append_new_columns', tags=['night']) }}
select id, {{ toolbox.shout('word') }} as word from {{ ref('numbers') }}
{% if is_incremental() %}where id > (select max(id) from {{ this }}){% endif %}
