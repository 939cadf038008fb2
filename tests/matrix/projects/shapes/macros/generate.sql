{% macro generate_schema_name(name, node) %}{{ target.schema }}{{ '_' ~ name if name else '' }}{% endmacro %}
{% macro generate_alias_name(name=none, node=none) %}
{%- if node.version %}{{ node.name }}__v{{ node.version }}{% else %}{{ name or node.name }}{% endif -%}
{% endmacro %}
