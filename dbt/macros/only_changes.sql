{#
  The rows of a mart that this run has to write, out of `current`, the rows that are to be shared now:
    - new ones, ones that came back into the program, and ones of which anything shared changed: with the change time;
    - ones that are not to be shared any more: in_program becomes false, all else stays, so that they are not sent.
  A row of which nothing shared changed is not written at all. Columns and which of them are shared come from the
  model's properties, which are generated from its contract. The comparison is of the values themselves, not of a
  digest: exact, and a column that is added later counts as changed only where it has a value.
#}
{% macro only_changes(current) %}
  {%- if flags.EMPTY or flags.SAMPLE -%}
    {{ exceptions.raise_compiler_error("With --empty or --sample every row would look as if it had left the program.") }}
  {%- endif -%}
  {%- set change_column, filter_column = model.config.meta.change_column, model.config.meta.filter_column -%}
  {%- set key = model.config.unique_key -%}
  {%- set names, compared = [], [] -%}
  {%- for name, column in model.columns.items() if name not in (change_column, filter_column) -%}
    {%- do names.append(name) -%}
    {%- if name not in key and column.config.meta.get('shared', true) -%}{%- do compared.append(name) -%}{%- endif -%}
  {%- endfor -%}
  {%- set on_key -%}
    {%- for column in key %}present.{{ column }} = {{ current }}.{{ column }}{{ ' and ' if not loop.last }}{% endfor -%}
  {%- endset -%}
  select
    {%- for name in names %}
    {{ current }}.{{ name }},
    {%- endfor %}
    true as {{ filter_column }},
    {{ change_time(model.name) }} as {{ change_column }}
  from {{ current }}
  {%- if is_incremental() %}
  left join {{ this }} as present on {{ on_key }}
  where
    present.{{ filter_column }} is null
    or not present.{{ filter_column }}
    {%- for name in compared %}
    or {{ current }}.{{ name }} is distinct from present.{{ name }}
    {%- endfor %}
  union all
  select
    {%- for name in names %}
    present.{{ name }},
    {%- endfor %}
    false as {{ filter_column }},
    present.{{ change_column }}
  from {{ this }} as present
  left join {{ current }} on {{ on_key }}
  where present.{{ filter_column }} and {{ current }}.{{ key[0] }} is null
  {%- endif %}
{% endmacro %}
