{#
  How a dataset's rows become its change log. Four tables take part:

    int_<dataset>__current      the rows that this run has to look at, as they are now; is_shared: whether to share them;
                                is_compared: false where what changed is known, so that it need not be looked up
    int_<dataset>__published    what earlier runs published: key, digest, whether it is shared; derived from the mart
    int_<dataset>__changes      what differs between the two; with broken: the rule that a row breaks, then it is not published
    <dataset>                   the mart: every change there ever was, by the hour in which it was found
#}

{#
  What the mart holds of complete hours that is not in int_<dataset>__published yet. That table is filed by the day of the
  record, so that a run reads the days of the records it looks at and no more. The row without a key says up to
  when the mart was read, in the same statement that reads it: a killed run leaves both or neither.
#}
{% macro publications(dataset, recorded_at=none) %}
  {%- set log, key = earlier(dataset), mart(dataset).config.meta.key if execute else [] -%}
  {%- set until = complete_until([dataset]) -%}
  {%- set since = indexed_until(dataset) if is_incremental() else none -%}
  {%- set config = mart(dataset).config.meta if execute else {} -%}
  {%- set held = adapter.get_columns_in_relation(log) | map(attribute='name') | map('lower') | list if log else [] -%}
  {%- if execute and log and since != until %}
  select
    {%- for column in key %}
    log.{{ column }},
    {%- endfor %}
    {{ filing_day('log.' ~ recorded_at) if recorded_at else "date '1970-01-01'" }} as filed_on,
    {%- set columns = shared_columns(dataset, shared_only=true) | select('in', held) | list %}
    case when log.{{ config.filter_column }} then {{ digest(dataset, 'log', columns) }} end as row_digest,
    log.{{ config.filter_column }} as is_shared,
    log.{{ config.change_column }} as published_at
  from {{ log }} as log
  where
    log.{{ config.change_column }} < {{ timestamp_literal(until) }}
    {%- if since is not none %}
    and log.{{ config.change_column }} >= {{ timestamp_literal(since) }}
    {%- endif %}
  union all
  {%- endif %}
  select
    {%- for column in key %}
    cast(null as {{ dbt.type_string() }}) as {{ column }},
    {%- endfor %}
    date '1970-01-01' as filed_on,
    cast(null as {{ dbt.type_string() }}) as row_digest,
    false as is_shared,
    {{ timestamp_literal(until) }} as published_at
  {%- if since == until %}
  from (select 1 as nothing) as nothing
  where false
  {%- endif %}
{% endmacro %}

{# Up to when int_<dataset>__published has read the mart: until this run has succeeded, the watermark that it found. #}
{% macro indexed_until(dataset) %}
  {%- set never = modules.datetime.datetime(1970, 1, 1, tzinfo=modules.pytz.utc) -%}
  {%- set table = earlier('int_' ~ dataset ~ '__published') -%}
  {%- if table is none -%}{{ return(never) }}{%- endif -%}
  {%- set key = mart(dataset).config.meta.key[0] -%}
  {%- set found = run_query(
      "select max(published_at) from " ~ table ~ " where filed_on = date '1970-01-01' and " ~ key ~ " is null"
  ).columns[0].values()[0] -%}
  {{ return(never if found is none else in_utc(found)) }}
{% endmacro %}

{#
  Whether this run compares everything there is with everything that was published: the first run, a full refresh, and
  until one of these has succeeded. Otherwise it looks at what arrived and at what that changes.
#}
{% macro compares_all(dataset) %}
  {%- set log = earlier('int_program_accounts__changes') -%}
  {%- if log is none -%}{{ return(true) }}{%- endif -%}
  {{ return(not found("select 1 from " ~ log ~ " where updated_at < " ~ timestamp_literal(settled_until([dataset])) ~ " limit 1")) }}
{% endmacro %}

{#
  The difference between int_<dataset>__current and what was published. `whole`: current holds everything there is, so that
  what is missing has left. The
  records of the others are found by the days under which they are filed; while hours are unsettled, among all, since more than
  one run may have filed a record under a new day.
#}
{% macro changes(dataset, whole) %}
  {%- set current, published = ref('int_' ~ dataset ~ '__current'), ref('int_' ~ dataset ~ '__published') -%}
  {%- if execute %}
  {%- set key, columns = mart(dataset).config.meta.key, shared_columns(dataset) -%}
  {%- set days = none if whole or is_unsettled(dataset) else found(
      "select recorded_on from " ~ current ~ " where is_compared union distinct select known_day from " ~ current
      ~ " where is_compared union distinct select complete_day from " ~ current ~ " where is_compared"
  ) -%}
  with current_rows as (
    select * from {{ current }}
  ),

  judged as (
    select
      current_rows.*,
      {{ digest(dataset, 'current_rows', shared_columns(dataset, shared_only=true)) }} as row_digest,
      coalesce(
        {{ broken_rule(dataset, 'current_rows') }},
        case when count(*) over (partition by {{ key | join(', ') }}) > 1 then 'key: more than one row' end
      ) as rule
    from current_rows
  ),

  published as (
    select {{ key | join(', ') }}, row_digest, is_shared
    from {{ published }}
    where {{ key[0] }} is not null
    {%- if days is not none %} and {{ in_constants('filed_on', days) }}{% endif %}
    qualify row_number() over (partition by {{ key | join(', ') }} order by published_at desc) = 1
  )

  select
    {%- for name in columns %}
    {{ cast_or_null('judged.' ~ name, mart(dataset).columns[name].data_type) }} as {{ name }},
    {%- endfor %}
    judged.is_shared,
    case when judged.is_shared then judged.rule end as broken
  from judged
  left join published on {% for name in key %}published.{{ name }} = judged.{{ name }}{{ ' and ' if not loop.last }}{% endfor %}
  where
    (judged.is_shared and judged.rule is not null)
    or not judged.is_compared
    or (judged.is_shared and (published.is_shared is null or not published.is_shared or published.row_digest <> judged.row_digest))
    or (not judged.is_shared and published.is_shared)
  {%- if whole %}
  union all
  select
    {%- for name in columns %}
    {{ ('published.' ~ name) if name in key else ('cast(null as ' ~ mart(dataset).columns[name].data_type ~ ')') }} as {{ name }},
    {%- endfor %}
    false as is_shared,
    cast(null as {{ dbt.type_string() }}) as broken
  from published
  left join judged on {% for name in key %}judged.{{ name }} = published.{{ name }}{{ ' and ' if not loop.last }}{% endfor %}
  where published.is_shared and judged.{{ key[0] }} is null
  {%- endif %}
  {%- endif %}
{% endmacro %}

{# The rows that a mart gains: the changes that keep the contract, in the hour that this run completes. #}
{% macro publish(dataset) %}
  {%- set config = mart(dataset).config.meta if execute else {} %}
  with changes as (
    select * from {{ ref('int_' ~ dataset ~ '__changes') }}
  )

  select
    {%- for name in (shared_columns(dataset) if execute else []) %}
    changes.{{ name }},
    {%- endfor %}
    changes.is_shared as {{ config.filter_column }},
    {{ change_time([dataset]) }} as {{ config.change_column }}
  from changes
  where changes.broken is null and {{ not_overtaken([dataset]) }}
{% endmacro %}

{#
  Hook before a mart is written: columns follow the contract. A wider decimal would else be rounded on its way into the old
  column; and a column that may be null, as nearly all may in a row that says that a record has left, has to allow it.
#}
{% macro follow_contract() %}
  {%- if execute and load_relation(this) is not none -%}
    {%- for column in held_columns(this) if column.name in model.columns -%}
      {%- set wanted = model.columns[column.name] -%}
      {%- set type, held = wanted.data_type | upper | replace(' ', ''), column.type | replace(' ', '') | replace('DECIMAL', 'NUMERIC') -%}
      {%- if type.startswith('NUMERIC(') and held.startswith('NUMERIC') and held != type -%}
        {%- do run_query("alter table " ~ this ~ " alter column " ~ column.name ~ " set data type " ~ wanted.data_type) -%}
      {%- endif -%}
      {%- if column.nullable == 'NO' and not wanted.constraints -%}
        {%- do run_query("alter table " ~ this ~ " alter column " ~ column.name ~ " drop not null") -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{% endmacro %}

{# Name, type with its parameters, and whether nulls are allowed, of each column of a table. #}
{% macro held_columns(relation) %}
  {%- set schema = (relation.include(identifier=false) ~ '.INFORMATION_SCHEMA.COLUMNS') if target.type == 'bigquery' else 'information_schema.columns' -%}
  {%- set found = run_query(
      "select column_name, data_type, is_nullable from " ~ schema ~ " where table_name = '" ~ relation.identifier ~ "'"
      ~ (" and table_schema = '" ~ relation.schema ~ "'")
  ) -%}
  {%- set columns = [] -%}
  {%- for row in found.rows -%}
    {%- do columns.append({'name': row[0], 'type': row[1] | upper, 'nullable': row[2] | upper}) -%}
  {%- endfor -%}
  {{ return(columns) }}
{% endmacro %}

{# How many rows of a dataset wait in quarantine, by the run that is going on. #}
{% macro quarantined(dataset) %}
  {{ return(run_query("select count(*) from " ~ earlier('int_' ~ dataset ~ '__changes') ~ " where broken is not null").columns[0].values()[0]) }}
{% endmacro %}

{#
  Takes out hours that are older than keep_hours_days: BigQuery allows 10,000 partitions a table, with one an hour 13 months.
  They were sent long ago and lie in the archive; what they published stays known in int_<dataset>__published. Runs with the
  first build after midnight; whole partitions cost nothing.
#}
{% macro drop_old_hours() %}
  {%- if execute and cut_off().hour == 0 -%}
  {%- set limit = cut_off() - modules.datetime.timedelta(days=var('keep_hours_days')) -%}
  delete from {{ this }}
  {%- set column = model.config.meta.change_column %}
  where {{ column }} < {{ timestamp_literal([limit, indexed_until(model.name)] | min) }}
  {%- endif -%}
{% endmacro %}
