{#
    Whether this run builds what others read: the name in ENV is one of DBT_ENTRYPOINT_DEPLOYMENTS.
    Anything else is a sandbox. An empty variable counts as unset.
#}
{% macro is_deployment() %}
    {%- set names = (env_var('DBT_ENTRYPOINT_DEPLOYMENTS', '') or 'dev,live').split(',') -%}
    {%- do return((env_var('ENV', '') or 'local') in names | map('trim') | list) -%}
{% endmacro %}
