-- How many rows of each dataset break its contract now, and are not sent until they keep it.
{%- for dataset in ('identity', 'payments', 'transactions') %}
select
    '{{ dataset }}' as dataset,
    count(*) as row_count
from {{ ref('int_' ~ dataset ~ '__changes') }}
where broken is not null
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
