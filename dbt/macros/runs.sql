{#
  Which runs were under way when: a row a run, written when it begins, with its end when it ends in whatever way. A killed run
  never says that it has ended. Nothing waits for these rows: they say which runs were alone (macros/watermark.sql).
  began_at and ended_at are the warehouse's clock, clock is the run's.
#}
{% macro runs_table() -%}
  {{ api.Relation.create(database=target.database, schema=target.schema, identifier='runs') }}
{%- endmacro %}

{% macro create_runs() %}
  {%- if flags.WHICH in ('build', 'run', 'retry') -%}
  create table if not exists {{ runs_table() }} (run_id string, clock timestamp, began_at timestamp, ended_at timestamp)
  {%- endif -%}
{% endmacro %}

{# Hook before anything is read, the watermark too: whoever ends after this sees the row. #}
{% macro begin_run() %}
  {%- if flags.WHICH in ('build', 'run', 'retry') -%}
  insert into {{ runs_table() }} (run_id, clock, began_at)
  values ('{{ invocation_id }}', {{ timestamp_literal(run_clock()) }}, {{ warehouse_clock() }})
  {%- endif -%}
{% endmacro %}

{# Hook after the last model and test, and before the watermark is moved, since that may fail. #}
{% macro end_run() %}
  {%- if flags.WHICH in ('build', 'run', 'retry') -%}
  update {{ runs_table() }} set ended_at = {{ warehouse_clock() }} where run_id = '{{ invocation_id }}'
  {%- endif -%}
{% endmacro %}

{#
  A subquery, row_count: how many other runs were under way at some time since this one began. One that never said that it
  has ended was killed, or is still at work; after `longest_run_hours` it was killed.
#}
{% macro others_under_way() -%}
  {%- set limit = run_clock() - modules.datetime.timedelta(hours=var('longest_run_hours')) -%}
  select count(*) as row_count
  from {{ runs_table() }} as other
  cross join (
    select coalesce(min(began_at), timestamp '1970-01-01 00:00:00') as began_at
    from {{ runs_table() }}
    where run_id = '{{ invocation_id }}'
  ) as own
  where
    other.run_id <> '{{ invocation_id }}'
    and (other.ended_at >= own.began_at or (other.ended_at is null and other.clock > {{ timestamp_literal(limit) }}))
{%- endmacro %}
