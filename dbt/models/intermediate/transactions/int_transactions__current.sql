{{ config(partition_by=filed_by_bucket('account_bucket')) }}

{%- set changed_accounts = changed('int_program_accounts__changes', 'virtual_account_id', 'transactions') -%}
{%- set buckets = found(changed('int_program_accounts__changes', 'account_bucket', 'transactions')) -%}
with movements as (
    select *
    from {{ records_to_look_at(
        'transactions', 'transaction', 'transaction_id', 'filed.virtual_account_id in ' ~ changed_accounts, buckets
    ) }} as found
),

accounts as (
    select * from {{ ref('int_program_accounts') }}
),

joined as (
    select
        movements.*,
        accounts.customer_id,
        accounts.iban as virtual_account_iban,
        not movements.is_deleted and accounts.customer_id is not null as is_shared
    from movements
    left join accounts on accounts.virtual_account_id = movements.virtual_account_id
)

select
    joined.*,
    {{ is_compared('transactions') }} as is_compared
from joined
where is_shared or is_news or only_news or {{ account_left('joined.virtual_account_id', 'transactions') }}
