{{ config(materialized='twice', pre_hook="select 1", post_hook=["select 2", {"sql": "select 3", "transaction": false}]) }}
select * from {{ ref('numbers') }}
