{# What a contract says of its dataset, taken from the mart's properties, which are generated from the contract. #}

{% macro all_datasets() %}
  {%- set names = [] -%}
  {%- for node in graph.nodes.values() if node.config.get('meta', {}).change_column is defined -%}
    {%- do names.append(node.name) -%}
  {%- endfor -%}
  {{ return(names | sort) }}
{% endmacro %}

{% macro mart(dataset) %}
  {{ return(graph.nodes['model.' ~ project_name ~ '.' ~ dataset]) }}
{% endmacro %}

{# Names of the mart's columns but for the change and the filter column; with `shared_only` none that stays here. #}
{% macro shared_columns(dataset, shared_only=false) %}
  {%- set names, config = [], mart(dataset).config -%}
  {%- for name, column in mart(dataset).columns.items() if name not in (config.meta.change_column, config.meta.filter_column) -%}
    {%- if not shared_only or column.config.meta.get('shared', true) -%}{%- do names.append(name) -%}{%- endif -%}
  {%- endfor -%}
  {{ return(names) }}
{% endmacro %}

{#
  A table of this project that a model reads as earlier runs left it, or none. Such a read is no `ref`: the table is written
  later in the same run, and dbt would see a circle.
#}
{% macro earlier(name) %}
  {%- if not execute -%}{{ return(none) }}{%- endif -%}
  {%- set node = mart(name) -%}
  {{ return(adapter.get_relation(node.database, node.schema, node.alias)) }}
{% endmacro %}

{# `column in (constants)`, which BigQuery prunes partitions by; `values` are dates or numbers. No values: false. #}
{% macro in_constants(column, values) -%}
  {%- if not values -%} false
  {%- elif values | length > 1000 -%} true
  {%- else -%}
  {{ column }} in (
    {%- for value in values -%}
    {{ ("date '" ~ value ~ "'") if value is not number else value }}{{ ', ' if not loop.last }}
    {%- endfor -%}
  )
  {%- endif -%}
{%- endmacro %}

{# The distinct values of the first column of a query that is run while the model is compiled. #}
{% macro found(sql) %}
  {%- if not execute -%}{{ return([]) }}{%- endif -%}
  {{ return(run_query(sql).columns[0].values() | reject('none') | unique | sort | list) }}
{% endmacro %}

{# The day under which a record of the ledger is filed; what has no believable one is filed under 1970. #}
{% macro filing_day(timestamp) -%}
  case
    when {{ timestamp }} >= timestamp '2015-01-01 00:00:00' and {{ timestamp }} < timestamp '2040-01-01 00:00:00'
      then {{ utc_date(timestamp) }}
    else date '1970-01-01'
  end
{%- endmacro %}

{# A digest of the values of a dataset's columns in a row of `relation`. #}
{% macro digest(dataset, relation, columns) -%}
  {%- set typed = [] -%}
  {%- for name in columns -%}{%- do typed.append((name, mart(dataset).columns[name].data_type | lower)) -%}{%- endfor -%}
  {{ digest_of(relation, typed) }}
{%- endmacro %}

{#
  Which rule of the contract a row breaks first, as a text, or null. A row that breaks one is quarantined.
  Decimals with more digits than the contract has are never rounded.
#}
{% macro broken_rule(dataset, relation) -%}
  case
    {%- for name, column in mart(dataset).columns.items() if name in shared_columns(dataset) %}
    {%- set value = relation ~ '.' ~ name %}
    {%- if column.config.meta.get('required') %}
    when {{ value }} is null then '{{ name }}: missing'
    {%- endif %}
    {%- set type = column.data_type | lower %}
    {%- if type.startswith('numeric(') %}
    {%- set precision, scale = type[8:-1].split(',')[0] | int, (type[8:-1].split(',') + ['0'])[1] | int %}
    when {{ value }} <> round({{ value }}, {{ scale }}) then '{{ name }}: more than {{ scale }} decimals'
    when abs({{ value }}) >= {{ '1' ~ '0' * (precision - scale) }} then '{{ name }}: too large for {{ type }}'
    {%- endif %}
    {%- endfor %}
    {%- for rule in mart(dataset).config.meta.rules %}
    {%- set value = relation ~ '.' ~ rule.column %}
    {%- if rule.one_of is defined %}
    when {{ value }} not in ({{ quoted(rule.one_of) }}) then '{{ rule.column }}: not a value of the contract'
    {%- endif %}
    {%- if rule.matches is defined %}
    when not {{ matches(value, rule.matches) }} then '{{ rule.column }}: pattern'
    {%- endif %}
    {%- if rule.min_length is defined %}
    when length({{ value }}) < {{ rule.min_length }} then '{{ rule.column }}: too short'
    {%- endif %}
    {%- if rule.max_length is defined %}
    when length({{ value }}) > {{ rule.max_length }} then '{{ rule.column }}: too long'
    {%- endif %}
    {%- if rule.minimum is defined %}
    when {{ value }} < {{ rule.minimum }} then '{{ rule.column }}: below the minimum'
    {%- endif %}
    {%- if rule.maximum is defined %}
    when {{ value }} > {{ rule.maximum }} then '{{ rule.column }}: above the maximum'
    {%- endif %}
    {%- endfor %}
  end
{%- endmacro %}
