{% macro watermark_table() -%}
  {{ api.Relation.create(database=target.database, schema=target.schema, identifier='watermark') }}
{%- endmacro %}

{% macro create_watermark() %}
  create table if not exists {{ watermark_table() }} (dataset string, complete_until timestamp)
{% endmacro %}

{#
  Declares the datasets complete up to the cut-off, in one statement, when every model and every test of the project ran
  in this invocation and succeeded; otherwise changes nothing and says why. A selection, `dbt run` without the tests, a
  retry of the failed nodes alone, a failure, a warning: none of them moves it. A killed run never gets here.
  It never moves back.
#}
{% macro move_watermark(results) %}
  {%- if not execute or flags.WHICH not in ('build', 'run', 'test', 'retry') -%}{{ return('') }}{%- endif -%}
  {%- set succeeded = [] -%}
  {%- for result in results if result.status | string in ('success', 'pass') -%}
    {%- do succeeded.append(result.node.unique_id) -%}
  {%- endfor -%}
  {%- set missing, datasets = [], [] -%}
  {%- for node in graph.nodes.values() if node.config.get('meta', {}).change_column is defined -%}
    {%- do datasets.append(node.name) -%}
  {%- endfor -%}
  {%- for node in graph.nodes.values() if node.resource_type in ('model', 'test', 'seed', 'snapshot') and node.unique_id not in succeeded -%}
    {%- do missing.append(node.name) -%}
  {%- endfor -%}
  {%- if missing or flags.EMPTY or flags.WHICH != 'build' -%}
    {%- do log("Watermark stays: " ~ ((missing | length) ~ " of the project's models and tests did not succeed in this run, first "
        ~ missing[0] if missing else "this was no plain dbt build") ~ ".", info=true) -%}
    {{ return('') }}
  {%- endif -%}
  {%- do log("Watermark moves to " ~ cut_off().strftime("%Y-%m-%dT%H:%M:%SZ") ~ ".", info=true) -%}
  merge into {{ watermark_table() }} as present
  using (
    {%- for dataset in datasets | sort %}
    select '{{ dataset }}' as dataset, {{ timestamp_literal(cut_off()) }} as complete_until
    {%- if not loop.last %} union all{% endif %}
    {%- endfor %}
  ) as declared
  on present.dataset = declared.dataset
  when matched and present.complete_until < declared.complete_until
    then update set complete_until = declared.complete_until
  when not matched
    then insert (dataset, complete_until) values (declared.dataset, declared.complete_until)
{% endmacro %}
