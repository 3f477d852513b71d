{{ config(partition_by=filed_by_bucket('account_bucket')) }}

{%- set changed_accounts = changed('int_program_accounts__changes', 'virtual_account_id', 'payments') -%}
{%- set changed_beneficiaries = changed('int_beneficiaries__changes', 'beneficiary_id', 'payments') -%}
{%- set buckets = found(
    changed('int_program_accounts__changes', 'account_bucket', 'payments') ~ " union distinct select account_bucket from "
    ~ ref('int_payments__payees') ~ " where beneficiary_id in " ~ changed_beneficiaries
) -%}
with payments as (
    select *
    from {{ records_to_look_at(
        'payments', 'payment', 'payment_id',
        'filed.virtual_account_id in ' ~ changed_accounts ~ ' or filed.beneficiary_id in ' ~ changed_beneficiaries,
        buckets
    ) }} as found
),

accounts as (
    select * from {{ ref('int_program_accounts') }}
),

beneficiaries as (
    select * from {{ ref('stg_ledger__beneficiary') }}
),

joined as (
    select
        payments.*,
        accounts.customer_id,
        accounts.iban as virtual_account_iban,
        beneficiaries.name as beneficiary_name,
        beneficiaries.iban as beneficiary_iban,
        beneficiaries.country as beneficiary_country,
        -- A deleted beneficiary stays the beneficiary of what was paid to it.
        not payments.is_deleted and accounts.customer_id is not null and beneficiaries.beneficiary_id is not null as is_shared
    from payments
    left join accounts on accounts.virtual_account_id = payments.virtual_account_id
    left join beneficiaries on beneficiaries.beneficiary_id = payments.beneficiary_id
)

select
    joined.*,
    {{ is_compared('payments') }} as is_compared
from joined
where is_shared or is_news or only_news or {{ account_left('joined.virtual_account_id', 'payments') }}
