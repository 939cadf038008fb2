{{ log("parsed with " ~ var('colour'), info=true) }}
select id, word, '{{ var("colour") }}' as colour from {{ ref('numbers') }}
