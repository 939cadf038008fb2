select count(*) as number from {{ ref('numbers') }}
{#- The plugin came with 1.6. -#}
{%- if dbt_version >= '1.6' %} union all select count(*) from {{ ref('another', 'of_another_project') }}{% endif %}
