-- What is news of the ledger's payments: the newest version of each one, where no complete run has seen it.
with payments as (
    select * from {{ source('ledger', 'payments') }}
),

versions as (
    select
        {{ text('payment_id') }} as payment_id,
        {{ code('operation') }} = 'delete' as is_deleted,
        {{ text('virtual_account_id') }} as virtual_account_id,
        {{ text('beneficiary_id') }} as beneficiary_id,
        amount,
        {{ iso('currency') }} as currency,
        {{ code('status') }} as status,
        {{ text('reference') }} as reference,
        created_at,
        executed_at,
        {{ filing_day('created_at') }} as recorded_on,
        {{ bucket(text('virtual_account_id')) }} as account_bucket,
        version,
        _loaded_at as loaded_at
    from payments
    where {{ arrived_since_complete('payments') }} and {{ understood('payments') }}
)

{{ news('payments', source('ledger', 'payments'), 'payment_id', 'created_at') }}
