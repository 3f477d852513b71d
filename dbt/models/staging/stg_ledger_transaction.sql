{{ config(unique_key='transaction_id') }}

with versions as (
    select
        transaction_id,
        coalesce(operation = 'delete', false) as is_deleted,
        virtual_account_id,
        {{ text('payment_id') }} as payment_id,
        {{ code('direction') }} as direction,
        cast(amount as numeric(18, 2)) as amount,
        {{ iso('currency') }} as currency,
        cast(exchange_rate as numeric(18, 9)) as exchange_rate,
        cast(balance_after as numeric(18, 2)) as balance_after,
        {{ text('counterparty_name') }} as counterparty_name,
        {{ iban('counterparty_iban') }} as counterparty_iban,
        {{ text('description') }} as description,
        booked_at,
        value_date,
        version,
        _loaded_at as loaded_at
    from {{ source('ledger', 'transactions') }}
    where {{ arrived_lately() }}
)

{{ newest_versions('versions', 'transaction_id', ['version', 'loaded_at']) }}
