{#
  The run's clock: one instant for the whole invocation, UTC. `--vars '{now: ...}'` replaces it in tests and on the local
  cloud, never in production: a clock that is wrong by hours would open and close hours that nobody has read.
#}
{% macro run_clock() %}
  {%- set now = var('now', none) -%}
  {%- if now and target.name not in var('local_targets') -%}
    {{ exceptions.raise_compiler_error("now replaces the clock on local targets only. Leave it out.") }}
  {%- endif -%}
  {%- set instant = modules.datetime.datetime.fromisoformat(now) if now else run_started_at -%}
  {%- if instant.tzinfo is none -%}
    {{ exceptions.raise_compiler_error("now needs an offset or Z: " ~ now) }}
  {%- endif -%}
  {{ return(instant.astimezone(modules.pytz.utc)) }}
{% endmacro %}

{# Fails a run that would look at a part of the raw rows only. #}
{% macro check_whole() %}
  {%- if execute and (flags.EMPTY or invocation_args_dict.get('sample')) -%}
    {{ exceptions.raise_compiler_error("With --empty or --sample every row would look as if it had left the program.") }}
  {%- endif -%}
{% endmacro %}

{# Fails the run when its clock and the warehouse's are more than `clock_tolerance_minutes` apart. #}
{% macro check_clock() %}
  {%- set ours = run_clock() -%}
  {%- if execute and flags.WHICH in ('build', 'run', 'retry') and not var('now', none) -%}
    {%- set theirs = in_utc(run_query("select current_timestamp as now").columns[0].values()[0]) -%}
    {%- set apart = (theirs - ours).total_seconds() | abs -%}
    {%- if apart > var('clock_tolerance_minutes') * 60 -%}
      {{ exceptions.raise_compiler_error(
          "The runner's clock says " ~ ours ~ ", the warehouse's " ~ theirs ~ ". No more than "
          ~ var('clock_tolerance_minutes') ~ " minutes may lie between. Set the runner's clock, and build again.") }}
    {%- endif -%}
  {%- endif -%}
{% endmacro %}

{# An instant out of the warehouse as a datetime in UTC. DuckDB's have no zone. #}
{% macro in_utc(instant) %}
  {{ return(instant.replace(tzinfo=modules.pytz.utc) if instant.tzinfo is none else instant.astimezone(modules.pytz.utc)) }}
{% endmacro %}

{# The full hour up to which a run that succeeds declares the datasets complete. #}
{% macro cut_off() %}
  {{ return(run_clock().replace(minute=0, second=0, microsecond=0)) }}
{% endmacro %}

{% macro timestamp_literal(instant) -%}
  timestamp '{{ instant.strftime("%Y-%m-%d %H:%M:%S.%f") }}'
{%- endmacro %}

{#
  The change column's value for every row that this run finds changed.

  Normally the last microsecond before the cut-off: what was found at 14:02 belongs to the hour 13-14, which this run
  completes and the function then sends. If that hour was declared complete before, the run's own time, and never a time
  before the watermark. The watermark is read by the statement that writes the rows, not when the run began.
  So no row ever enters an hour that was already complete, whatever the runner's clock says.
#}
{% macro change_time(datasets) -%}
  (
    select
      case
        when max(complete_until) is null or max(complete_until) < {{ timestamp_literal(cut_off()) }}
          then {{ timestamp_literal(cut_off() - modules.datetime.timedelta(microseconds=1)) }}
        else greatest(max(complete_until), {{ timestamp_literal(run_clock()) }})
      end
    from {{ watermark_table() }}
    where dataset in ({{ quoted(datasets) }})
  )
{%- endmacro %}

{% macro quoted(names) -%}
  {%- for name in names %}'{{ name }}'{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}
