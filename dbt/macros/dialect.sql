{# Whether a text matches a regular expression somewhere. #}
{% macro matches(text, pattern) -%} {{ adapter.dispatch('matches', 'amazon_pspp')(text, pattern) }} {%- endmacro %}
{% macro bigquery__matches(text, pattern) -%} regexp_contains({{ text }}, r'{{ pattern }}') {%- endmacro %}
{% macro duckdb__matches(text, pattern) -%} regexp_matches({{ text }}, '{{ pattern }}') {%- endmacro %}
