{#
  Writes descriptions and policy tags of a table and its columns into BigQuery, where they differ from what is there. Instead of dbt's
  own macro, which writes them anew with every run, and takes away every policy tag that the project does not name:
  as long as `policy_tags` names none, those that somebody else has set stay.
#}
{% macro bigquery__persist_docs(relation, model, for_relation, for_columns) %}
  {%- set table = adapter.get_bq_table(relation) -%}
  {%- if for_relation and config.persist_relation_docs() and model.description and table.description != model.description -%}
    {%- do alter_relation_comment(relation, model.description) -%}
  {%- endif -%}
  {%- if for_columns and config.persist_column_docs() -%}
    {%- set columns, differing = {}, [] -%}
    {%- for field in table.schema if field.name in model.columns -%}
      {%- set said, held = model.columns[field.name], field.policy_tags.names | list if field.policy_tags else [] -%}
      {%- set tags = said.get('policy_tags', []) if var('policy_tags') else held -%}
      {%- do columns.update({field.name: {'description': said.description, 'policy_tags': tags}}) -%}
      {%- if (field.description or '') != said.description or held != tags -%}{%- do differing.append(field.name) -%}{%- endif -%}
    {%- endfor -%}
    {%- if differing -%}
      {%- do alter_column_comment(relation, columns) -%}
    {%- endif -%}
  {%- endif -%}
{% endmacro %}
