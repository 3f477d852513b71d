-- What is news of the ledger's movements: the newest version of each one, where no complete run has seen it.
with transactions as (
    select * from {{ source('ledger', 'transactions') }}
),

versions as (
    select
        {{ text('transaction_id') }} as transaction_id,
        {{ code('operation') }} = 'delete' as is_deleted,
        {{ text('virtual_account_id') }} as virtual_account_id,
        {{ text('payment_id') }} as payment_id,
        {{ code('direction') }} as direction,
        amount,
        {{ iso('currency') }} as currency,
        exchange_rate,
        balance_after,
        {{ text('counterparty_name') }} as counterparty_name,
        {{ iban('counterparty_iban') }} as counterparty_iban,
        {{ text('description') }} as description,
        booked_at,
        value_date,
        {{ filing_day('booked_at') }} as recorded_on,
        {{ bucket(text('virtual_account_id')) }} as account_bucket,
        version,
        _loaded_at as loaded_at
    from transactions
    where {{ arrived_since_complete('transactions') }} and {{ understood('transactions') }}
)

{{ news('transactions', source('ledger', 'transactions'), 'transaction_id', 'booked_at') }}
