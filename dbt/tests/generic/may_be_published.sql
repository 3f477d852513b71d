{#
  What would be published may be: every row keeps the contract and its key is there once, and no more rows leave than a day of
  business explains. An emptied source looks as if every customer had left; the limit is `departure_limit`.
#}
{% test may_be_published(model, dataset) %}
{%- if execute %}
{%- set key = mart(dataset).config.meta.key %}
{%- set published = "int_" ~ dataset ~ "__published" %}
{%- set limit = var('departure_limit') %}
select {{ key | join(" || '/' || ") }} as record_key, {{ broken_rule(dataset, 'changes') }} as reason
from {{ model }} as changes
where changes.broken is null and changes.is_shared and {{ broken_rule(dataset, 'changes') }} is not null
union all
select {{ key | join(" || '/' || ") }} as record_key, 'key: more than one row' as reason
from {{ model }}
where broken is null
group by {{ key | join(', ') }}
having count(*) > 1
union all
select '' as record_key, cast(departing.row_count as {{ dbt.type_string() }}) || ' rows leave' as reason
from (select count(*) as row_count from {{ model }} where not is_shared) as departing
cross join (select count(*) as row_count from {{ earlier(published) }}) as published
where departing.row_count > {{ limit.rows }} and departing.row_count > {{ limit.share }} * published.row_count
{%- endif %}
{% endtest %}
