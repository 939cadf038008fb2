{#
    Plays the tool that loads the raw tables of the shop.

    A missing table is made and filled. A table that is there is left alone, unless `replace` allows
    it to be filled anew and one of the `raw_` variables asks for that: a sandbox can be given bad
    data on purpose, the tables of a deployment environment cannot.
#}
{% macro load(customers, orders, payments, replace=false) %}
    {%- if not execute -%}{%- do return('') -%}{%- endif -%}

    {%- set asked_for = namespace(any=false) -%}
    {%- for name in ['raw_age_hours', 'raw_duplicate_orders', 'raw_unreadable_orders'] -%}
        {%- if var(name, none) is not none -%}{%- set asked_for.any = true -%}{%- endif -%}
    {%- endfor -%}

    {%- for relation, query in [
        (customers, sample_data.customers()),
        (orders, sample_data.orders()),
        (payments, sample_data.payments()),
    ] -%}
        {%- set existing = adapter.get_relation(relation.database, relation.schema, relation.identifier) -%}
        {%- if existing is none -%}
            {%- if not adapter.check_schema_exists(relation.database, relation.schema) -%}
                {%- do adapter.create_schema(relation) -%}
            {%- endif -%}
            {%- do log('Making ' ~ relation ~ ' from sample data', info=true) -%}
            {#- One statement, so that of two runs at once the second fails and no row is there twice. -#}
            {%- do sample_data.execute_and_commit(['create table ' ~ relation ~ ' as ' ~ query]) -%}
        {%- elif asked_for.any and replace -%}
            {%- do log('Filling ' ~ relation ~ ' anew from sample data', info=true) -%}
            {#- Not dropped: on Redshift that would take the staging views along. -#}
            {%- do sample_data.execute_and_commit([
                'delete from ' ~ relation,
                'insert into ' ~ relation ~ ' ' ~ query,
            ]) -%}
        {%- elif asked_for.any -%}
            {%- do log(relation ~ ' is left as it is: this is a deployment environment', info=true) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{# One transaction. dbt rolls back what a hook leaves open, so run_query alone would change nothing. #}
{% macro execute_and_commit(statements) %}
    {%- for sql in statements -%}
        {%- call statement(auto_begin=true) -%}{{ sql }}{%- endcall -%}
    {%- endfor -%}
    {%- do adapter.commit() -%}
{% endmacro %}
