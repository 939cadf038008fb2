{% snapshot numbers_history %}
{{ config(target_schema='history', unique_key='id', strategy='timestamp', updated_at='day') }}
select id, word, cast(day as timestamp) as day from {{ ref('numbers') }}
{% endsnapshot %}
