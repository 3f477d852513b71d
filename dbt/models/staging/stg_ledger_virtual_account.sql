{{ config(unique_key='virtual_account_id') }}

with versions as (
    select
        virtual_account_id,
        coalesce(operation = 'delete', false) as is_deleted,
        customer_ref,
        {{ iban('iban') }} as iban,
        version,
        _loaded_at as loaded_at
    from {{ source('ledger', 'virtual_accounts') }}
    where {{ arrived_lately() }}
)

{{ newest_versions('versions', 'virtual_account_id', ['version', 'loaded_at']) }}
