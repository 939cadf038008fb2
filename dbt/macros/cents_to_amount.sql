{# Cents, as a whole number, to an amount with two decimals. #}
{% macro cents_to_amount(column) -%}
    cast({{ column }} / 100.0 as numeric(12, 2))
{%- endmacro %}
