{#
  Condition on a raw table: rows that this staging table may not have read yet. The raw tables are append-only and
  partitioned by _loaded_at, so the limit is written as a constant, which BigQuery can prune by. A clock of the loader
  that ran ahead cannot make later rows invisible.
#}
{% macro arrived_lately() -%}
  {%- if is_incremental() and execute -%}
    {%- set newest = run_query("select max(loaded_at) from " ~ this).columns[0].values()[0] -%}
    {%- if newest is none -%}{{ return('true') }}{%- endif -%}
    {%- if newest.tzinfo is none -%}{%- set newest = newest.replace(tzinfo=modules.pytz.utc) -%}{%- endif -%}
    {%- set limit = [newest, run_clock()] | min - modules.datetime.timedelta(hours=var('reread_hours')) -%}
    _loaded_at >= {{ timestamp_literal(limit.astimezone(modules.pytz.utc)) }}
  {%- else -%}
    true
  {%- endif -%}
{%- endmacro %}

{#
  The newest version of each key, by the columns of `order`, most significant first; with an incremental table only
  versions that are newer than the one it holds, so a late or repeated old version changes nothing.
#}
{% macro newest_versions(versions, key, order) %}
  select {{ versions }}.*
  from {{ versions }}
  {%- if is_incremental() %}
  left join {{ this }} as present on present.{{ key }} = {{ versions }}.{{ key }}
  where
    present.{{ key }} is null
    {%- for column in order %}
    or (
      {%- for equal in order[:loop.index0] %}{{ versions }}.{{ equal }} = present.{{ equal }} and {% endfor -%}
      {{ versions }}.{{ column }} > present.{{ column }})
    {%- endfor %}
  {%- endif %}
  qualify row_number() over (
    partition by {{ versions }}.{{ key }}
    order by {% for column in order %}{{ versions }}.{{ column }} desc{{ ', ' if not loop.last }}{% endfor %}
  ) = 1
{% endmacro %}

{# Text without surrounding blanks, null when nothing is left. #}
{% macro text(column) -%} nullif(trim({{ column }}), '') {%- endmacro %}

{# A code as the contracts write it: 'Sole Trader' is sole_trader. #}
{% macro code(column) -%} replace(lower({{ text(column) }}), ' ', '_') {%- endmacro %}

{# An ISO country or currency code. #}
{% macro iso(column) -%} upper({{ text(column) }}) {%- endmacro %}

{# An IBAN in its electronic form. #}
{% macro iban(column) -%} nullif(upper(replace({{ column }}, ' ', '')), '') {%- endmacro %}
