{% snapshot history %}
{{ config(target_schema='history', unique_key='id', strategy='check', check_cols=['word']) }}
select distinct * from {{ ref('numbers') }}
{% endsnapshot %}
