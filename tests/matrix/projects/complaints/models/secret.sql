{{ config(meta={'from': env_var('MATRIX_PLAIN', 'nowhere'), 'run': invocation_id | length}) }}
select '{{ env_var("MATRIX_PLAIN", "nowhere") | length }}' as length, {{ flags.WHICH | length }} as which
