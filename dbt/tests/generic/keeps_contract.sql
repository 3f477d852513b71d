{#
  Rows that break a rule of the contract, each with the column that does, in one scan. A null breaks none of these rules;
  whether a column may be null is a constraint of the table. The rules are generated from the contract.
#}
{% test keeps_contract(model, key, rules) %}
select *
from (
  select
    {{ key | join(', ') }},
    case
      {%- for rule in rules %}
      {%- set column = rule.column %}
      {%- if rule.one_of is defined %}
      when {{ column }} not in ({% for value in rule.one_of %}'{{ value }}'{{ ', ' if not loop.last }}{% endfor %}) then '{{ column }}: not a value of the contract'
      {%- endif %}
      {%- if rule.matches is defined %}
      when not {{ matches(column, rule.matches) }} then '{{ column }}: pattern'
      {%- endif %}
      {%- if rule.min_length is defined %}
      when length({{ column }}) < {{ rule.min_length }} then '{{ column }}: too short'
      {%- endif %}
      {%- if rule.max_length is defined %}
      when length({{ column }}) > {{ rule.max_length }} then '{{ column }}: too long'
      {%- endif %}
      {%- if rule.minimum is defined %}
      when {{ column }} < {{ rule.minimum }} then '{{ column }}: below the minimum'
      {%- endif %}
      {%- if rule.maximum is defined %}
      when {{ column }} > {{ rule.maximum }} then '{{ column }}: above the maximum'
      {%- endif %}
      {%- endfor %}
    end as broken
  from {{ model }}
) as judged
where broken is not null
{% endtest %}
