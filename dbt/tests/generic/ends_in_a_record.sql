{# Chains of merges that are longer than merge_chain_limit, or go in a circle: what passed along them would be lost. #}
{% test ends_in_a_record(model) %}
select merged.record_id, merged.surviving_id
from {{ model }} as merged
inner join {{ model }} as further on further.record_id = merged.surviving_id
{% endtest %}
