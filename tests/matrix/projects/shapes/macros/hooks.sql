{% macro keep(results) %}
  {% if execute and results %}
    {% set rows = [] %}
    {% for result in results %}
      {% do rows.append("('" ~ result.node.unique_id ~ "', '" ~ result.status ~ "', '"
          ~ (result.message or '') | replace("'", "''") ~ "')") %}
    {% endfor %}
    insert into {{ target.schema }}.log_of_runs values {{ rows | join(', ') }}
  {% else %}
    select 1
  {% endif %}
{% endmacro %}

{% macro keep_graph() %}
  {% if execute %}
    {{ log(graph.nodes.values() | map(attribute='unique_id') | sort | join(' '), info=true) }}
    {{ log(modules.datetime.date(2020, 1, 2) ~ ' ' ~ modules.re.sub('a', 'b', 'banana'), info=true) }}
  {% endif %}
  select 1
{% endmacro %}

{% macro count_of(name) %}
  {% set rows = run_query('select count(*) as number from ' ~ ref(name)) %}
  {{ log(name ~ ': ' ~ rows.columns[0].values()[0], info=true) }}
  {{ print(rows.print_json()) }}
{% endmacro %}
