{% macro watermark_table() -%}
  {{ api.Relation.create(database=target.database, schema=target.schema, identifier='watermark') }}
{%- endmacro %}

{% macro create_watermark() %}
  {%- if flags.WHICH in ('build', 'run', 'test', 'retry') -%}
  create table if not exists {{ watermark_table() }} (dataset string, complete_until timestamp)
  {%- endif -%}
{% endmacro %}

{# A watermark that an earlier version made has no settled_until. Null there means that all that is complete is settled. #}
{% macro widen_watermark() %}
  {%- if flags.WHICH in ('build', 'run', 'test', 'retry') -%}
  alter table {{ watermark_table() }} add column if not exists settled_until timestamp
  {%- endif -%}
{% endmacro %}

{# The watermark of each dataset that has one, as datetimes: complete_until, and settled_until. #}
{% macro watermarks() %}
  {%- set found = {} -%}
  {%- for row in run_query(
      "select dataset, max(complete_until) as complete_until, max(coalesce(settled_until, complete_until)) as settled_until from "
      ~ watermark_table() ~ " group by dataset"
  ).rows -%}
    {%- do found.update({row[0]: {'complete': in_utc(row[1]), 'settled': in_utc(row[2])}}) -%}
  {%- endfor -%}
  {{ return(found) }}
{% endmacro %}

{#
  The watermarks as this run found them. They are asked for once, by a hook before the first model, and kept in dbt's graph,
  the one thing that all models and threads of an invocation share. So all of a run rests on the same answer.
#}
{% macro watermarks_found() %}
  {%- if graph.get('watermarks_found', {}).get('invocation') != invocation_id -%}
    {%- do graph.update({'watermarks_found': {'invocation': invocation_id, 'by_dataset': watermarks()}}) -%}
  {%- endif -%}
  {{ return(graph.watermarks_found.by_dataset) }}
{% endmacro %}

{% macro find_watermarks() %}
  {%- if execute and flags.WHICH in ('build', 'run', 'test', 'retry') -%}
    {%- do watermarks_found() -%}
  {%- endif -%}
{% endmacro %}

{#
  Until when all of the datasets, or the one, were complete when this run began, as a datetime; 1970 before the first run that
  succeeded. Rows with a later change time were written by a run that did not succeed, or by this one.
#}
{% macro complete_until(datasets) %}
  {{ return(mark_found('complete', datasets)) }}
{% endmacro %}

{#
  Until when what was read and filed has been settled: by a run that completed the datasets while no other was under way. What
  was filed later is looked at again: the tables between the raw rows and the marts belong to no run, so of two at once either
  may have filed what neither has published. It is never after the watermark, and normally equal to it.
#}
{% macro settled_until(datasets) %}
  {{ return(mark_found('settled', datasets)) }}
{% endmacro %}

{# Whether hours that were declared complete have to be looked at again. #}
{% macro is_unsettled(dataset) %}
  {{ return(settled_until([dataset]) < complete_until([dataset])) }}
{% endmacro %}

{% macro mark_found(kind, datasets) %}
  {%- set times = [modules.datetime.datetime(1970, 1, 1, tzinfo=modules.pytz.utc)] -%}
  {%- if execute -%}
    {%- for dataset, marks in watermarks_found().items() if dataset in datasets -%}{%- do times.append(marks[kind]) -%}{%- endfor -%}
  {%- endif -%}
  {{ return(times | max) }}
{% endmacro %}

{# Condition: the watermark still is where this run found it. A run that was overtaken by another writes nothing. #}
{% macro not_overtaken(datasets) -%}
  (
    select coalesce(max(complete_until), timestamp '1970-01-01 00:00:00')
    from {{ watermark_table() }} where dataset in ({{ quoted(datasets) }})
  ) = {{ timestamp_literal(complete_until(datasets)) }}
{%- endmacro %}

{#
  Hook before a change log is written: takes out the rows of runs that did not succeed, so that this run decides anew what
  the open hour holds. Nothing that was declared complete is touched: the statement itself looks at the watermark.
#}
{% macro clear_open_hours(datasets) %}
  {%- if execute and load_relation(this) is not none -%}
  delete from {{ this }}
  where
    {{ model.config.meta.get('change_column', 'updated_at') }} >= {{ timestamp_literal(complete_until(datasets)) }}
    and {{ not_overtaken(datasets) }}
  {%- endif -%}
{% endmacro %}

{#
  Declares the datasets complete up to the cut-off, in one statement, when every model and every test of the project ran
  in this invocation and succeeded; otherwise changes nothing and says why. A selection, `dbt run` without the tests, a
  retry of the failed nodes alone, a failure: none of them moves it, and no warning either, but those of tests that say
  `holds_watermark: false`, which tell of something that need not hold the hour. A killed run never gets here.
  It never moves back. What a second run of an hour files belongs to the next, so it settles nothing. A dataset of
  `wait_for_quarantined` with rows in quarantine stays where it is.
#}
{% macro move_watermark(results) %}
  {%- if not execute or flags.WHICH not in ('build', 'run', 'test', 'retry') -%}{{ return('') }}{%- endif -%}
  {%- set succeeded = [] -%}
  {%- for result in results -%}
    {%- if result.status | string in ('success', 'pass')
        or (result.status | string == 'warn' and not result.node.config.meta.get('holds_watermark', true)) -%}
      {%- do succeeded.append(result.node.unique_id) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set missing = [] -%}
  {%- for node in graph.nodes.values()
      if node.resource_type in ('model', 'test', 'seed', 'snapshot') and node.config.enabled and node.unique_id not in succeeded -%}
    {%- do missing.append(node.name) -%}
  {%- endfor -%}
  {%- if missing or flags.WHICH != 'build' -%}
    {%- do log("Watermark stays: " ~ ((missing | length) ~ " of the project's models and tests did not succeed in this run, first "
        ~ missing[0] if missing else "this was no plain dbt build") ~ ".", info=true) -%}
    {{ return('') }}
  {%- endif -%}
  {%- set datasets, now = [], watermarks() -%}
  {%- for dataset in all_datasets() -%}
    {%- set waiting = quarantined(dataset) -%}
    {%- if waiting -%}
      {%- do log(waiting ~ " rows of " ~ dataset ~ " wait in quarantine.", info=true) -%}
    {%- endif -%}
    {%- if waiting and dataset in var('wait_for_quarantined') -%}
      {%- do log("Watermark of " ~ dataset ~ " stays: the dataset waits for its quarantined rows.", info=true) -%}
    {%- elif now.get(dataset, {}).complete != watermarks_found().get(dataset, {}).complete -%}
      {{ exceptions.raise_compiler_error("Watermark of " ~ dataset ~ " stays: another run has moved it since this one began. "
          ~ "The next run takes what this one has read. See that no two runs overlap.") }}
    {%- else -%}
      {%- do datasets.append(dataset) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- if not datasets -%}{{ return('') }}{%- endif -%}
  {%- do log("Watermark moves to " ~ cut_off().strftime("%Y-%m-%dT%H:%M:%SZ") ~ ".", info=true) -%}
  {%- if run_query(others_under_way()).columns[0].values()[0] -%}
    {%- do log("Another run was under way during this one, or was killed. The next run looks at everything again that was read "
        ~ "since " ~ settled_until(datasets).strftime("%Y-%m-%dT%H:%M:%SZ") ~ ".", info=true) -%}
  {%- endif -%}
  merge into {{ watermark_table() }} as present
  using (
    select named.dataset, {{ timestamp_literal(cut_off()) }} as complete_until, others.row_count = 0 as was_alone
    from (
      {%- for dataset in datasets %}
      select '{{ dataset }}' as dataset
      {%- if not loop.last %} union all{% endif %}
      {%- endfor %}
    ) as named
    cross join ({{ others_under_way() }}) as others
  ) as declared
  on present.dataset = declared.dataset
  when matched and present.complete_until < declared.complete_until
    then update set
      complete_until = declared.complete_until,
      settled_until = case
        when declared.was_alone then declared.complete_until
        else coalesce(present.settled_until, present.complete_until)
      end
  when not matched
    then insert (dataset, complete_until, settled_until)
    values (
      declared.dataset,
      declared.complete_until,
      case when declared.was_alone then declared.complete_until else timestamp '1970-01-01 00:00:00' end
    )
{% endmacro %}
