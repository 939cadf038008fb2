{#
    What a table is called. In a deployment environment as dbt would call it. In a sandbox, where one
    schema holds everything:

    - an alias that lives in a custom schema gets that schema before it (`<custom>__<alias>`), since
      two schemas may use the same alias; the names of models are unique as they are;
    - where the users share the schema (DBT_SANDBOX_BY=table) the user is a suffix, for which a name
      that would exceed Redshift's 127 bytes is cut and ends in a hash of itself.
#}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {%- set name = default__generate_alias_name(custom_alias_name, node) | trim -%}
    {%- if not is_deployment() -%}
        {%- if custom_alias_name and node.config.schema -%}
            {%- set name = (node.config.schema | trim) ~ '__' ~ name -%}
        {%- endif -%}
        {%- if sandbox_by() == 'table' and sandbox_user() -%}
            {%- set room = 127 - (sandbox_user() | length) - 1 -%}
            {%- if name | length > room -%}
                {%- set name = name[:room - 9] ~ '_' ~ local_md5(name)[:8] -%}
            {%- endif -%}
            {%- set name = name ~ '_' ~ sandbox_user() -%}
        {%- endif -%}
    {%- endif -%}
    {{ name }}
{%- endmacro %}
