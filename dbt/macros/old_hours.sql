{#
  Moves rows that have not changed for keep_hours_days to the first hour of the month of their last change. Their windows
  were sent long ago, and BigQuery allows 10,000 partitions a table and 4,000 in one statement: with a partition an hour
  the table would stop taking rows within 14 months. Runs with the first build after midnight.
#}
{% macro fold_old_hours() %}
  {%- set limit = cut_off().replace(hour=0) - modules.datetime.timedelta(days=var('keep_hours_days')) -%}
  {%- set month = dbt.date_trunc('month', model.config.meta.change_column) -%}
  {%- if execute and cut_off().hour == 0 -%}
  update {{ this }}
  set {{ model.config.meta.change_column }} = {{ month }}
  where {{ model.config.meta.change_column }} < {{ timestamp_literal(limit) }} and {{ model.config.meta.change_column }} <> {{ month }}
  {%- endif -%}
{% endmacro %}
