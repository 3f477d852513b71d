with current_rows as (
    select
        payment.payment_id,
        account.customer_id,
        payment.virtual_account_id,
        account.iban as virtual_account_iban,
        payment.beneficiary_id,
        beneficiary.name as beneficiary_name,
        beneficiary.iban as beneficiary_iban,
        beneficiary.country as beneficiary_country,
        payment.amount,
        payment.currency,
        payment.status,
        payment.reference,
        payment.created_at,
        payment.executed_at
    from {{ ref('stg_ledger_payment') }} as payment
    inner join {{ ref('program_accounts') }} as account on account.virtual_account_id = payment.virtual_account_id
    -- A deleted beneficiary stays the beneficiary of what was paid to it.
    inner join {{ ref('stg_ledger_beneficiary') }} as beneficiary on beneficiary.beneficiary_id = payment.beneficiary_id
    where not payment.is_deleted
)

{{ only_changes('current_rows') }}
