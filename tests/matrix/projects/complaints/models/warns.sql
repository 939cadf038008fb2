{{ exceptions.warn("not what it was") }}
{% do adapter.dispatch('helper')() %}
select * from {{ ref('fine') }}
