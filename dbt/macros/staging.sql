{#
  Condition on a raw table of a master record (not the ledger's payments and transactions): rows that this staging table may
  not have read yet. The raw tables are append-only and partitioned by _loaded_at, so the limit is written as a constant,
  which BigQuery can prune by. A clock of the loader that ran fast cannot make later rows invisible.
#}
{% macro arrived_lately() -%}
  _loaded_at is not null
  {%- if is_incremental() and execute %}
    {%- set newest = run_query("select max(loaded_at) from " ~ this).columns[0].values()[0] -%}
    {%- if newest is not none %}
      {%- set limit = [in_utc(newest), run_clock()] | min - modules.datetime.timedelta(hours=var('reread_hours')) %}
    and _loaded_at >= {{ timestamp_literal(limit) }}
    {%- endif -%}
  {%- endif -%}
{%- endmacro %}

{#
  The newest version of each key of `versions`, by the columns of `order`, most significant first. With an incremental
  table the version that it holds counts as one more, so a late or repeated old version changes nothing. Versions that
  nothing in `order` tells apart: a deleted one wins, then the greatest text of the whole row, so the answer never depends
  on the order of arrival.

  A delete may carry the key alone: for the columns of `kept`, a deleted row has the newest value that any version had.
  Columns are the model's properties.
#}
{% macro newest_versions(key, order, kept=[]) %}
  {%- set columns = own_columns() -%}
  {%- if is_incremental() and execute -%}
    {%- set present = adapter.get_columns_in_relation(this) | map(attribute='name') | map('lower') | list -%}
  {%- endif -%}
  , candidates as (
    select {{ columns | join(', ') }} from versions
    {%- if is_incremental() %}
    union all
    select
      {%- for column in columns %}
      {{ ('held.' ~ column) if column in (present or columns) else 'null' }} as {{ column }}{{ ',' if not loop.last }}
      {%- endfor %}
    from {{ this }} as held
    where held.{{ key }} in (select {{ key }} from versions)
    {%- endif %}
  ),

  ordered as (
    select
      candidates.*,
      row_number() over (
        partition by {{ key }}
        order by {% for column in order %}{{ column }} desc, {% endfor %}is_deleted desc, {{ row_text('candidates') }} desc
      ) as place
    from candidates
  )

  select
    {%- for column in columns %}
    {%- if column in kept %}
    case
      when is_deleted then first_value({{ column }} ignore nulls) over (
        partition by {{ key }} order by place rows between unbounded preceding and unbounded following
      )
      else {{ column }}
    end as {{ column }}
    {%- else %}
    {{ column }}
    {%- endif %}{{ ',' if not loop.last }}
    {%- endfor %}
  from ordered
  where true
  qualify row_number() over (partition by {{ key }} order by place) = 1
{% endmacro %}

{# Names of the model's columns, out of its properties. A unit test has none, and says them instead. #}
{% macro own_columns() %}
  {{ return(model.columns.keys() | list) }}
{% endmacro %}

{# Text without surrounding blanks, null when nothing is left. #}
{% macro text(column) -%} nullif(trim({{ column }}), '') {%- endmacro %}

{# A code as the contracts write it: 'Sole Trader' is sole_trader. #}
{% macro code(column) -%} replace(lower({{ text(column) }}), ' ', '_') {%- endmacro %}

{# An ISO country or currency code. #}
{% macro iso(column) -%} upper({{ text(column) }}) {%- endmacro %}

{# An IBAN in its electronic form. #}
{% macro iban(column) -%} nullif(upper(replace({{ column }}, ' ', '')), '') {%- endmacro %}

{#
  What each raw table calls its key, its order and its operation: rows without the first two, or with another operation than
  these, cannot be understood. They are never read, and the test raw_rows_are_as_agreed names them.
#}
{% macro agreed(table) %}
  {%- set salesforce = {'key': 'Id', 'order': 'SystemModstamp'} -%}
  {%- set ledger = {'order': 'version', 'operation': 'operation', 'operations': ['insert', 'update', 'delete']} -%}
  {{ return({
    'account': salesforce, 'account_contact': salesforce, 'contact': salesforce, 'id_doc': salesforce,
    'entity': {
      'key': 'entity_id', 'order': 'event_time', 'operation': 'event_type', 'operations': ['created', 'updated', 'deleted']
    },
    'virtual_accounts': dict(ledger, key='virtual_account_id'),
    'beneficiaries': dict(ledger, key='beneficiary_id'),
    'payments': dict(ledger, key='payment_id'),
    'transactions': dict(ledger, key='transaction_id'),
  }[table]) }}
{% endmacro %}

{% macro understood(table) -%}
  {%- set rules = agreed(table) -%}
  {{ text(rules.key) }} is not null and {{ rules.order }} is not null
  {%- if rules.operation %} and {{ code(rules.operation) }} in ({{ quoted(rules.operations) }}){% endif %}
{%- endmacro %}
