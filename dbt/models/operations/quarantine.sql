-- How many rows of each dataset break its contract now, and are not sent until they keep it.
{%- set before = earlier('quarantine') -%}
{%- set knows_since = before and 'waiting_since' in adapter.get_columns_in_relation(before) | map(attribute='name') | list %}
with
{%- for dataset in ('identity', 'payments', 'transactions') %}
{{ dataset }} as (
    select * from {{ ref('int_' ~ dataset ~ '__changes') }}
),
{% endfor %}
counted as (
    {%- for dataset in ('identity', 'payments', 'transactions') %}
    select '{{ dataset }}' as dataset, count(*) as row_count
    from {{ dataset }}
    where broken is not null
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

before as (
    {%- if knows_since %}
    select dataset, waiting_since from {{ before }}
    {%- else %}
    select dataset, {{ timestamp_literal(cut_off()) }} as waiting_since from counted where false
    {%- endif %}
)

select
    counted.dataset,
    counted.row_count,
    case when counted.row_count > 0 then coalesce(before.waiting_since, {{ timestamp_literal(cut_off()) }}) end as waiting_since
from counted
left join before on before.dataset = counted.dataset
