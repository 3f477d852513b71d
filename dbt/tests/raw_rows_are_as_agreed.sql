{# Rows that the loaders may not write, and that are therefore never read: without key, order or time of loading, or with an unknown operation. #}
{{ config(severity='warn', meta={'holds_watermark': false}, fail_calc='coalesce(sum(row_count), 0)') }}
{%- set since = timestamp_literal(run_clock() - modules.datetime.timedelta(hours=var('reread_hours'))) %}
{%- for system, table in [
    ('salesforce', 'account'), ('salesforce', 'account_contact'), ('salesforce', 'contact'), ('salesforce', 'id_doc'),
    ('fenx', 'entity'),
    ('ledger', 'virtual_accounts'), ('ledger', 'beneficiaries'), ('ledger', 'payments'), ('ledger', 'transactions'),
] %}
select '{{ system }}.{{ table }}' as raw_table, count(*) as row_count, min(_loaded_at) as first_loaded_at
from {{ source(system, table) }}
where (_loaded_at is null or _loaded_at >= {{ since }}) and (_loaded_at is null or not coalesce({{ understood(table) }}, false))
having count(*) > 0
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
