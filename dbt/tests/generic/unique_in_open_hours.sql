{# A reader takes an hour at a time: no key may be in the hours that are still open twice. Complete ones were tested when they were. #}
{% test unique_in_open_hours(model, dataset) %}
{%- if execute %}
{%- set config = mart(dataset).config.meta %}
select {{ config.key | join(', ') }}, count(*) as times
from {{ model }}
where {{ config.change_column }} >= {{ timestamp_literal(complete_until([dataset])) }}
group by {{ config.key | join(', ') }}
having count(*) > 1
{%- endif %}
{% endtest %}
