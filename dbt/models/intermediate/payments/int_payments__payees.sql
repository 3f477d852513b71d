{{ config(materialized="incremental") }}

-- Which accounts have paid which beneficiary, to find the payments that a beneficiary's change changes.
with news as (
    select * from {{ ref('stg_ledger__payment') }}
)

select distinct
    news.beneficiary_id,
    news.virtual_account_id,
    news.account_bucket
from news
{%- if is_incremental() %}
left join {{ this }} as known
    on known.beneficiary_id = news.beneficiary_id and known.virtual_account_id = news.virtual_account_id
{%- endif %}
where
    news.beneficiary_id is not null and news.virtual_account_id is not null
    {%- if is_incremental() %}
    and known.beneficiary_id is null
    {%- endif %}
