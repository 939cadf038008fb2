{% macro ref() %}
  {#- A package cannot replace it for others, and a project can: see macros/ref.sql. -#}
  {% do return(builtins.ref(*varargs, **kwargs)) %}
{% endmacro %}

{% macro shout(word) %}{{ return(adapter.dispatch('shout', 'toolbox')(word)) }}{% endmacro %}
{% macro default__shout(word) %}upper({{ word }}) || '{{ var("suffix") }}'{% endmacro %}

{% macro columns_of(relation) %}
  {%- if execute -%}
    {{ return(adapter.get_columns_in_relation(relation) | map(attribute='name') | join(', ')) }}
  {%- else -%}
    {{ return('1') }}
  {%- endif -%}
{% endmacro %}
