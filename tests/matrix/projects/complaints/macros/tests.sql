{% test at_most(model, column_name, value) %}
select * from {{ model }} where {{ column_name }} > {{ value }}
{% endtest %}

{% test no_rows(model) %}
select * from {{ model }}
{% endtest %}

{% macro default__helper() %}{{ log("helped", info=true) }}{% endmacro %}

{% macro unused(argument) %}{{ no_such_macro(argument) }}{% endmacro %}
