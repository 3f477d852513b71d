{{ config(unique_key='payment_id') }}

with versions as (
    select
        payment_id,
        coalesce(operation = 'delete', false) as is_deleted,
        virtual_account_id,
        beneficiary_id,
        cast(amount as numeric(18, 2)) as amount,
        {{ iso('currency') }} as currency,
        {{ code('status') }} as status,
        {{ text('reference') }} as reference,
        created_at,
        executed_at,
        version,
        _loaded_at as loaded_at
    from {{ source('ledger', 'payments') }}
    where {{ arrived_lately() }}
)

{{ newest_versions('versions', 'payment_id', ['version', 'loaded_at']) }}
