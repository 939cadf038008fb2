{% macro ref() %}
  {%- set relation = builtins.ref(*varargs, **kwargs) -%}
  {%- if var('aside', false) -%}{% do return(relation.include(database=false)) %}{%- endif -%}
  {% do return(relation) %}
{% endmacro %}
