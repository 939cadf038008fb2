{# Whose sandbox this is, as part of an identifier; empty for the one that all share. #}
{% macro sandbox_user() %}
    {%- set given = env_var('DBT_SANDBOX_USER', '') -%}
    {%- set user = modules.re.sub('[^a-z0-9_]', '_', given | lower) -%}
    {%- if given and not user.strip('_') -%}
        {%- do exceptions.raise_compiler_error(
            "DBT_SANDBOX_USER holds no letter from a to z and no digit: '" ~ given ~ "'") -%}
    {%- elif user | length > 60 -%}
        {%- do exceptions.raise_compiler_error(
            "DBT_SANDBOX_USER is longer than 60 characters: '" ~ given ~ "'") -%}
    {%- endif -%}
    {%- do return(user) -%}
{% endmacro %}

{# What keeps the users apart: a `schema` each, or, where they may not create any, a suffix to each `table`. #}
{% macro sandbox_by() %}
    {%- set by = env_var('DBT_SANDBOX_BY', '') or 'schema' -%}
    {%- if by not in ['schema', 'table'] -%}
        {%- do exceptions.raise_compiler_error("DBT_SANDBOX_BY is 'schema' or 'table', not '" ~ by ~ "'") -%}
    {%- endif -%}
    {%- do return(by) -%}
{% endmacro %}
