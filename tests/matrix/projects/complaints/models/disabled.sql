{{ config(enabled=false, no_such_config=1) }}
select 1 as id
