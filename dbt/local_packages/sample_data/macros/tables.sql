{# 50 customers. #}
{% macro customers() %}
{{ sample_data.numbers_to(50) }}
select
    n as id,
    cast('customer' || cast(n as varchar) || '@example.com' as varchar(200)) as email,
    cast(case n % 3 when 0 then 'SE' when 1 then 'NO' else 'DK' end as varchar(2)) as country_code,
    {{ dbt.dateadd('hour', 'n * 7', "cast('2025-12-01 00:00:00' as timestamp)") }} as created_at,
    {{ sample_data.loaded_at() }} as _loaded_at
from numbers
{% endmacro %}

{# 300 orders, then the first `raw_duplicate_orders` of them once more. Amounts come as text. #}
{% macro orders() %}
{{ sample_data.numbers_to(300) }}
select
    n as id,
    1 + n % 50 as customer_id,
    cast(case n % 3 when 0 then 'placed' when 1 then 'shipped' else 'returned' end as varchar(20)) as status,
    cast(
        case when n <= {{ var('raw_unreadable_orders', 0) }} then 'n/a' else cast(n * 100 as varchar) end
    as varchar(20)) as amount_cents,
    {{ dbt.dateadd('minute', 'n * 97', "cast('2026-01-01 00:00:00' as timestamp)") }} as placed_at,
    {{ sample_data.loaded_at() }} as _loaded_at
from (
    select n from numbers
    union all
    select n from numbers where n <= {{ var('raw_duplicate_orders', 0) }}
) as delivered
{% endmacro %}

{# One payment for each order. #}
{% macro payments() %}
{{ sample_data.numbers_to(300) }}
select
    1000 + n as id,
    n as order_id,
    cast(case n % 2 when 0 then 'card' else 'invoice' end as varchar(20)) as method,
    n * 100 as amount_cents,
    {{ dbt.dateadd('minute', 'n * 97 + 5', "cast('2026-01-01 00:00:00' as timestamp)") }} as paid_at,
    {{ sample_data.loaded_at() }} as _loaded_at
from numbers
{% endmacro %}

{# When the data came in: now, less `raw_age_hours`. In UTC whatever the time zone of the session. #}
{% macro loaded_at() %}
    {%- set moment = run_started_at - modules.datetime.timedelta(hours=var('raw_age_hours', 0)) -%}
    cast('{{ moment.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
{%- endmacro %}

{# A `with` clause whose `numbers` holds 1 to `last`, at most 1000. Redshift has no generate_series for tables. #}
{% macro numbers_to(last) %}
with digits as (
    {%- for digit in range(10) %}
    select {{ digit }} as d{{ ' union all' if not loop.last }}
    {%- endfor %}
),
numbers as (
    select 1 + ones.d + 10 * tens.d + 100 * hundreds.d as n
    from digits as ones cross join digits as tens cross join digits as hundreds
    where 1 + ones.d + 10 * tens.d + 100 * hundreds.d <= {{ last }}
)
{%- endmacro %}
