{% if execute %}{{ exceptions.raise_compiler_error("this one cannot be compiled") }}{% endif %}
select 1 as id
