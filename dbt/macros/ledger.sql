{#
  Payments and transactions come by the million, so no run looks at all of them. Four tables a kind:

    stg_ledger__<record>               what is news: the newest version of each record that no complete run has seen
    int_<dataset>__versions            which versions were seen, filed by the day of the record
    int_<dataset>__by_account          the versions themselves, filed by account: for customers and beneficiaries that change
    int_<dataset>__quarantined         records that broke the contract, looked at again by each run until they keep it

  A record's day is that of its `recorded_at`, which the ledger sets once. A record is filed under every day and every account
  that it has named, so a correction of either loses nothing.
#}

{# Condition: raw rows that no run may have settled. Constant, so that partitions are pruned. #}
{% macro arrived_since_complete(dataset) -%}
  _loaded_at is not null
  {%- if reads_news(dataset) %}
  and _loaded_at >= {{ timestamp_literal(news_since(dataset)) }}
  {%- endif -%}
{%- endmacro %}

{% macro reads_news(dataset) %}
  {{ return(execute and not flags.FULL_REFRESH and earlier('int_' ~ dataset ~ '__versions') is not none) }}
{% endmacro %}

{% macro news_since(dataset) %}
  {{ return([settled_until([dataset]), run_clock()] | min - modules.datetime.timedelta(hours=var('reread_hours'))) }}
{% endmacro %}

{#
  Out of `versions`, raw rows with clean columns, the newest version of each record, where it is newer than any that is settled;
  and the quarantined records again. `source`: the raw table.
  Adds: run_id; is_filed, whether this version was; known_day and known_bucket, under which the version that was read last is; and
  complete_day, that of the last one which is settled: what was published is filed there.
#}
{% macro news(dataset, source, key, recorded_at) %}
  {%- set columns = ['is_deleted', 'recorded_on', 'account_bucket', 'version', 'loaded_at'] -%}
  {%- for name in model.columns if name not in columns and name not in ('run_id', 'is_filed', 'known_day', 'known_bucket', 'complete_day') -%}
    {%- do columns.append(name) -%}
  {%- endfor -%}
  , newest as (
    select versions.*
    from versions
    where true
    qualify row_number() over (
      partition by {{ key }} order by version desc, loaded_at desc, is_deleted desc, {{ row_text('versions') }} desc
    ) = 1
  ),
  {%- if reads_news(dataset) %}
  {%- set seen = earlier('int_' ~ dataset ~ '__versions') %}
  {%- set days = days_to_look_at(dataset, source, key, recorded_at, seen) %}

  compared as (
    select
      newest.*,
      max(case
        when seen.seen_at < {{ timestamp_literal(settled_until([dataset])) }}
          and (seen.version > newest.version or (seen.version = newest.version and seen.loaded_at >= newest.loaded_at))
          then 1 else 0
      end) over (partition by newest.{{ key }}) as is_old,
      max(case when seen.version = newest.version and seen.loaded_at = newest.loaded_at then 1 else 0 end)
        over (partition by newest.{{ key }}) as times_filed,
      seen.recorded_on as known_day,
      seen.account_bucket as known_bucket,
      first_value(case when seen.seen_at < {{ timestamp_literal(settled_until([dataset])) }} then seen.recorded_on end ignore nulls) over (
        partition by newest.{{ key }}
        order by seen.version desc, seen.loaded_at desc, seen.filed_on
        rows between unbounded preceding and unbounded following
      ) as complete_day
    from newest
    left join {{ seen }} as seen
      on seen.{{ key }} = newest.{{ key }}{% if days is not none %} and {{ in_constants('seen.filed_on', days) }}{% endif %}
    where true
    qualify row_number() over (partition by newest.{{ key }} order by seen.version desc, seen.loaded_at desc, seen.filed_on) = 1
  ),

  fresh as (
    select
      {%- for name in columns %}
      {{ name }},
      {%- endfor %}
      '{{ invocation_id }}' as run_id,
      times_filed = 1 as is_filed,
      known_day,
      known_bucket,
      complete_day
    from compared
    where is_old = 0
  )

  select * from fresh
  {%- set waiting = earlier('int_' ~ dataset ~ '__quarantined') %}
  {%- if waiting is not none and not compares_all(dataset) %}
  {%- set held = adapter.get_columns_in_relation(waiting) | map(attribute='name') | map('lower') | list %}
  union all
  select
    {%- for name in columns %}
    {{ ('waiting.' ~ name) if name in held else 'null' }} as {{ name }}, {#- a column that is new in staging -#}
    {%- endfor %}
    '{{ invocation_id }}' as run_id,
    true as is_filed,
    waiting.recorded_on as known_day,
    waiting.account_bucket as known_bucket,
    waiting.recorded_on as complete_day
  from {{ waiting }} as waiting
  left join fresh on fresh.{{ key }} = waiting.{{ key }}
  where
    waiting.updated_at >= {{ timestamp_literal(settled_until([dataset]) - modules.datetime.timedelta(hours=1)) }}
    and waiting.updated_at < {{ timestamp_literal(settled_until([dataset])) }}
    and fresh.{{ key }} is null
  {%- endif %}
  {%- else %}

  fresh as (
    select
      {%- for name in columns %}
      {{ name }},
      {%- endfor %}
      '{{ invocation_id }}' as run_id,
      false as is_filed,
      recorded_on as known_day,
      account_bucket as known_bucket,
      recorded_on as complete_day
    from newest
  )

  select * from fresh
  {%- endif %}
{% endmacro %}

{#
  The days under which the records that arrived may be filed, or none for every day.

  Records that no run has settled under the days that they name, and are not surely new, may be filed anywhere: a delete that
  carries only the key, a corrected `recorded_at`. Surely new is one that came as an insert and was recorded after the
  time from which raw rows are read: an earlier version of it would be among them.
#}
{% macro days_to_look_at(dataset, source, key, recorded_at, seen) %}
  {%- set since = timestamp_literal(news_since(dataset)) -%}
  {%- set arrived = "from " ~ source ~ " where _loaded_at >= " ~ since ~ " and " ~ understood(source.identifier) -%}
  {%- set days = found("select distinct " ~ filing_day(recorded_at) ~ " as filed_on " ~ arrived) -%}
  {%- if not days -%}{{ return([]) }}{%- endif -%}
  {%- set strays -%}
    select arrived.{{ key }}
    from (
      select
        {{ key }},
        max(case when {{ code('operation') }} = 'insert' and {{ recorded_at }} >= {{ since }} then 1 else 0 end) as surely_new
      {{ arrived }}
      group by {{ key }}
    ) as arrived
    left join {{ seen }} as seen
      on seen.{{ key }} = arrived.{{ key }} and {{ in_constants('seen.filed_on', days) }}
        and seen.seen_at < {{ timestamp_literal(settled_until([dataset])) }}
    where seen.{{ key }} is null and arrived.surely_new = 0
    limit 1
  {%- endset -%}
  {{ return(none if found(strays) else days) }}
{% endmacro %}

{#
  News as int_<dataset>__versions files them: under the day that a record names, and the one that it named before. A run files
  the news that it has read itself, here and by account. So where another has written the news anew, no version is filed
  here that is not filed by account.
#}
{% macro seen_versions(dataset, record, key) %}
  with news as (
    select * from {{ ref('stg_ledger__' ~ record) }}
  )
  {% for day in ('recorded_on', 'known_day') %}
  select
    {{ key }}, {{ day }} as filed_on, recorded_on, account_bucket, version, loaded_at, {{ change_time([dataset]) }} as seen_at
  from news
  where not is_filed and run_id = '{{ invocation_id }}'{% if day == 'known_day' %} and known_day <> recorded_on{% endif %}
  {%- if not loop.last %}
  union all
  {%- endif %}
  {%- endfor %}
{% endmacro %}

{# News as int_<dataset>__by_account files them: under the account that a record names, and the one that it named before. #}
{% macro filed_by_account(record) %}
  {%- set columns = [] -%}
  {%- for name in model.columns if name != 'filed_under' -%}{%- do columns.append(name) -%}{%- endfor %}
  with news as (
    select * from {{ ref('stg_ledger__' ~ record) }}
  )
  {% for bucket in ('account_bucket', 'known_bucket') %}
  select
    {{ bucket }} as filed_under,
    {{ columns | join(', ') }}
  from news
  where not is_filed and run_id = '{{ invocation_id }}'{% if bucket == 'known_bucket' %} and known_bucket <> account_bucket{% endif %}
  {%- if not loop.last %}
  union all
  {%- endif %}
  {%- endfor %}
{% endmacro %}

{#
  The records that this run has to look at: the news, and those that a change of their account or beneficiary changes too; while
  hours are unsettled, those that were published in them too. With compares_all, every record. is_news: whether it is news;
  only_news: whether it is nothing else, so that what was published of it tells whether it changed.
  `changed`: a condition on the record `filed`, true where the change of something that it shows is news; `buckets`: of the accounts.
#}
{% macro records_to_look_at(dataset, record, key, changed, buckets) %}
  {%- set by_account, news = ref('int_' ~ dataset ~ '__by_account'), ref('stg_ledger__' ~ record) -%}
  {%- set columns = [] -%}
  {%- if execute -%}
  {%- for name in mart('int_' ~ dataset ~ '__by_account').columns if name != 'filed_under' -%}{%- do columns.append(name) -%}{%- endfor -%}
  {%- endif -%}
  {%- set whole = compares_all(dataset) -%}
  {%- if is_unsettled(dataset) and earlier(dataset) is not none -%}
  {%- set published = "from " ~ earlier(dataset) ~ " where " ~ mart(dataset).config.meta.change_column ~ " >= "
      ~ timestamp_literal(settled_until([dataset])) -%}
  {%- set changed = changed ~ " or filed." ~ key ~ " in (select " ~ key ~ " " ~ published ~ ")" -%}
  {%- set buckets = buckets + found(
      "select distinct " ~ bucket('virtual_account_id') ~ " as account_bucket " ~ published ~ " and virtual_account_id is not null"
  ) -%}
  {%- endif -%}
  (
    select
      found.*,
      max(case when from_news then 1 else 0 end) over (partition by {{ key }}) = 1 as is_news,
      min(case when from_news or {{ whole }} then 1 else 0 end) over (partition by {{ key }}) = 1 as only_news
    from (
      select
        {%- for name in columns %}
        filed.{{ name }},
        {%- endfor %}
        filed.recorded_on as known_day,
        filed.recorded_on as complete_day,
        false as from_news
      from (
        select *
        from {{ by_account }}
        where {{ 'true' if whole else in_constants('filed_under', buckets) }}
        qualify row_number() over (partition by {{ key }} order by version desc, loaded_at desc, filed_under) = 1
      ) as filed
      {%- if not whole %}
      where not filed.is_deleted and ({{ changed }})
      union all
      select
        {%- for name in columns %}
        news.{{ name }},
        {%- endfor %}
        coalesce(news.known_day, news.recorded_on) as known_day,
        coalesce(news.complete_day, news.recorded_on) as complete_day,
        true as from_news
      from {{ news }} as news
      {%- endif %}
    ) as found
    where true
    qualify row_number() over (partition by {{ key }} order by version desc, loaded_at desc, from_news desc) = 1
  )
{% endmacro %}

{# A subquery: keys of the reference rows that changed since the dataset was settled. #}
{% macro changed(log, key, dataset) -%}
  (select {{ key }} from {{ ref(log) }} where updated_at >= {{ timestamp_literal(settled_until([dataset])) }})
{%- endmacro %}

{#
  The change log of a table that payments and transactions look up: its rows that differ from what was true when the datasets
  were last complete, and those that changed in hours that are unsettled. `columns`: those that are looked up.
#}
{% macro reference_changes(current, key, columns, datasets) %}
  {%- set typed = [] -%}
  {%- for name in columns -%}{%- do typed.append((name, 'string')) -%}{%- endfor -%}
  {%- set limit = timestamp_literal(complete_until(datasets)) -%}
  with looked_up as (
    select * from {{ current }}
  ),

  present as (
    select looked_up.{{ key }}, {{ bucket('looked_up.' ~ key) }} as account_bucket, {{ digest_of('looked_up', typed) }} as row_digest
    from looked_up
  ),

  before as (
    {%- if is_incremental() %}
    select
      {{ key }}, account_bucket, row_digest, is_present, updated_at >= {{ timestamp_literal(settled_until(datasets)) }} as is_unsettled
    from {{ this }}
    where updated_at < {{ limit }}
    qualify row_number() over (partition by {{ key }} order by updated_at desc) = 1
    {%- else %}
    select {{ key }}, account_bucket, row_digest, true as is_present, false as is_unsettled from present where false
    {%- endif %}
  )

  select
    present.{{ key }},
    present.account_bucket,
    present.row_digest,
    true as is_present,
    {{ change_time(datasets) }} as updated_at
  from present
  left join before on before.{{ key }} = present.{{ key }}
  where
    (before.is_present is null or not before.is_present or before.is_unsettled or before.row_digest <> present.row_digest)
    and {{ not_overtaken(datasets) }}
  union all
  select
    before.{{ key }},
    before.account_bucket,
    before.row_digest,
    false as is_present,
    {{ change_time(datasets) }} as updated_at
  from before
  left join present on present.{{ key }} = before.{{ key }}
  where (before.is_present or before.is_unsettled) and present.{{ key }} is null and {{ not_overtaken(datasets) }}
{% endmacro %}

{# Whether an account has left the program since the dataset was complete; while hours are unsettled, whether it may have. #}
{% macro account_left(account, dataset) -%}
  {% if is_unsettled(dataset) %} true
  {%- else %}
  {{ account }} in (
    select virtual_account_id from {{ ref('int_program_accounts__changes') }}
    where updated_at >= {{ timestamp_literal(complete_until([dataset])) }} and not is_present
  )
  {%- endif %}
{%- endmacro %}

{#
  Whether what was published of a record has to be looked up. Of one that an account's leaving takes along it is not looked up
  whether it was shared: it need not have been. While hours are unsettled, a change of its account may have been published.
#}
{% macro is_compared(dataset) -%}
  {% if is_unsettled(dataset) %} true
  {%- else %} case when is_shared then only_news else is_news or only_news end
  {%- endif %}
{%- endmacro %}

{#
  The records that break the contract now, with the first rule that each breaks: a complete set in every hour. int_<dataset>__current
  is read where their accounts are filed, and not at all where every record keeps the contract.
#}
{% macro quarantine(dataset, record) %}
  {%- set buckets = found(
      "select distinct " ~ bucket('virtual_account_id') ~ " as account_bucket from " ~ ref('int_' ~ dataset ~ '__changes') ~ " where broken is not null"
  ) -%}
  {%- set key = mart(dataset).config.meta.key[0] if execute else '' %}
  with current_rows as (
    select *
    from {{ ref('int_' ~ dataset ~ '__current') }}
    where {{ in_constants('account_bucket', buckets) }}
  ),

  changes as (
    select * from {{ ref('int_' ~ dataset ~ '__changes') }}
  )

  select
    {%- for name in model.columns if name not in ('broken', 'updated_at') %}
    current_rows.{{ name }},
    {%- endfor %}
    changes.broken,
    {{ change_time([dataset]) }} as updated_at
  from current_rows
  inner join changes on changes.{{ key }} = current_rows.{{ key }}
  where changes.broken is not null and {{ not_overtaken([dataset]) }}
{% endmacro %}

{# Partitions of BigQuery tables; dbt-duckdb reads the same option, and refuses it. #}
{% macro filed_by_day(column, type='date') %}
  {{ return({'field': column, 'data_type': type, 'granularity': 'day'} if target.type == 'bigquery' else none) }}
{% endmacro %}

{% macro filed_by_bucket(column) %}
  {{ return({'field': column, 'data_type': 'int64', 'range': {'start': 0, 'end': 500, 'interval': 1}} if target.type == 'bigquery' else none) }}
{% endmacro %}
