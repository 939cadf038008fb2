select one.id, two.day from {{ ref('customers', v=1) }} as one join {{ ref('customers') }} as two using (id)
