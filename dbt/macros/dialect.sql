{# What the two adapters write differently, and dbt has no macro for. #}

{# Whether a text matches a regular expression somewhere. #}
{% macro matches(text, pattern) -%} {{ adapter.dispatch('matches', 'amazon_pspp')(text, pattern) }} {%- endmacro %}
{% macro bigquery__matches(text, pattern) -%} regexp_contains({{ text }}, r'{{ pattern }}') {%- endmacro %}
{% macro duckdb__matches(text, pattern) -%} regexp_matches({{ text }}, '{{ pattern }}') {%- endmacro %}

{# All columns of a row of `relation` as one text; decides between versions that nothing else orders. #}
{% macro row_text(relation) -%} {{ adapter.dispatch('row_text', 'amazon_pspp')(relation) }} {%- endmacro %}
{% macro bigquery__row_text(relation) -%} to_json_string({{ relation }}) {%- endmacro %}
{% macro duckdb__row_text(relation) -%} cast(to_json({{ relation }}) as varchar) {%- endmacro %}

{# The value as another type, null where it does not fit. #}
{% macro cast_or_null(value, type) -%} {{ adapter.dispatch('cast_or_null', 'amazon_pspp')(value, type) }} {%- endmacro %}
{% macro bigquery__cast_or_null(value, type) -%} safe_cast({{ value }} as {{ type }}) {%- endmacro %}
{% macro duckdb__cast_or_null(value, type) -%} try_cast({{ value }} as {{ type }}) {%- endmacro %}

{# One of 500 numbers, always the same for a text; 0 for null. 500 partitions of a table, a quarter of which one hour may touch. #}
{% macro bucket(text) -%} coalesce({{ adapter.dispatch('bucket', 'amazon_pspp')(text) }}, 0) {%- endmacro %}
{% macro bigquery__bucket(text) -%} mod(mod(farm_fingerprint({{ text }}), 500) + 500, 500) {%- endmacro %}
{% macro duckdb__bucket(text) -%} cast(hash({{ text }}) % 500 as bigint) {%- endmacro %}

{# The UTC date of a timestamp. #}
{% macro utc_date(timestamp) -%} {{ adapter.dispatch('utc_date', 'amazon_pspp')(timestamp) }} {%- endmacro %}
{% macro bigquery__utc_date(timestamp) -%} date({{ timestamp }}) {%- endmacro %}
{% macro duckdb__utc_date(timestamp) -%} cast({{ timestamp }} as date) {%- endmacro %}
