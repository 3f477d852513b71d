{# What the two adapters write differently, and dbt has no macro for. #}

{# Whether a text matches a regular expression somewhere. #}
{% macro matches(text, pattern) -%} {{ adapter.dispatch('matches', 'amazon_pspp')(text, pattern) }} {%- endmacro %}
{% macro bigquery__matches(text, pattern) -%} regexp_contains({{ text }}, r'{{ pattern }}') {%- endmacro %}
{% macro duckdb__matches(text, pattern) -%} regexp_matches({{ text }}, '{{ pattern }}') {%- endmacro %}

{# All columns of a row of `relation` as one text; decides between versions that nothing else orders. #}
{% macro row_text(relation) -%} {{ adapter.dispatch('row_text', 'amazon_pspp')(relation) }} {%- endmacro %}
{% macro bigquery__row_text(relation) -%} to_json_string({{ relation }}) {%- endmacro %}
{% macro duckdb__row_text(relation) -%} cast(to_json({{ relation }}) as varchar) {%- endmacro %}

{#
  A digest of values, given as pairs of a name and a type of the columns of `relation`. A null takes no part, so a column that is
  added changes no digest where it is empty; a decimal is written alike whatever its scale.
#}
{% macro digest_of(relation, columns) -%} {{ adapter.dispatch('digest_of', 'amazon_pspp')(relation, columns) | trim }} {%- endmacro %}
{% macro bigquery__digest_of(relation, columns) -%}
  {%- set values = [] -%}
  {%- for name, type in columns -%}
    {%- set value = relation ~ '.' ~ name -%}
    {%- do values.append(('to_json_string(' ~ value ~ ') as ' ~ name) if type == 'json' else value) -%}
  {%- endfor -%}
  to_hex(md5(regexp_replace(to_json_string(struct({{ values | join(', ') }})), r'"[A-Za-z0-9_]+":null', '')))
{%- endmacro %}
{% macro duckdb__digest_of(relation, columns) -%}
  {%- set values = [] -%}
  {%- for name, type in columns -%}
    {%- set value = relation ~ '.' ~ name -%}
    {%- set value = ('cast(' ~ value ~ ' as decimal(38, 9))') if type.startswith('numeric') else ('to_json(' ~ value ~ ')') -%}
    {%- do values.append("'" ~ name ~ ":' || cast(" ~ value ~ " as varchar)") -%}
  {%- endfor -%}
  md5(array_to_string([{{ values | join(', ') }}], ','))
{%- endmacro %}

{# The value as another type, null where it does not fit. #}
{% macro cast_or_null(value, type) -%} {{ adapter.dispatch('cast_or_null', 'amazon_pspp')(value, type) }} {%- endmacro %}
{% macro bigquery__cast_or_null(value, type) -%} safe_cast({{ value }} as {{ type }}) {%- endmacro %}
{% macro duckdb__cast_or_null(value, type) -%} try_cast({{ value }} as {{ type }}) {%- endmacro %}

{# One of 500 numbers, always the same for a text; 0 for null. 500 partitions of a table, a quarter of which one hour may touch. #}
{% macro bucket(text) -%} coalesce({{ adapter.dispatch('bucket', 'amazon_pspp')(text) }}, 0) {%- endmacro %}
{% macro bigquery__bucket(text) -%} mod(mod(farm_fingerprint({{ text }}), 500) + 500, 500) {%- endmacro %}
{% macro duckdb__bucket(text) -%} cast(hash({{ text }}) % 500 as bigint) {%- endmacro %}

{# The warehouse's clock, as a timestamp. DuckDB's have no zone. #}
{% macro warehouse_clock() -%} {{ adapter.dispatch('warehouse_clock', 'amazon_pspp')() }} {%- endmacro %}
{% macro bigquery__warehouse_clock() -%} current_timestamp() {%- endmacro %}
{% macro duckdb__warehouse_clock() -%} make_timestamp(epoch_us(current_timestamp)) {%- endmacro %}

{# The UTC date of a timestamp. #}
{% macro utc_date(timestamp) -%} {{ adapter.dispatch('utc_date', 'amazon_pspp')(timestamp) }} {%- endmacro %}
{% macro bigquery__utc_date(timestamp) -%} date({{ timestamp }}) {%- endmacro %}
{% macro duckdb__utc_date(timestamp) -%} cast({{ timestamp }} as date) {%- endmacro %}
