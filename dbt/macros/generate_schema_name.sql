{#
    Where a model goes. In a deployment environment: the default schema, or `<default>_<custom>`.
    Anywhere else everything goes to one schema, whatever custom schema a model asks for:
    `<default>_sandbox`, or `<default>_sandbox_<user>`.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set custom = (custom_schema_name or '') | trim -%}
    {%- if is_deployment() -%}
        {{ target.schema ~ ('_' ~ custom if custom else '') }}
    {%- else -%}
        {%- set user = sandbox_user() if sandbox_by() == 'schema' else '' -%}
        {{ target.schema ~ '_sandbox' ~ ('_' ~ user if user else '') }}
    {%- endif -%}
{%- endmacro %}
