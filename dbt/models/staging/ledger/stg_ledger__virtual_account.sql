{{ config(unique_key='virtual_account_id') }}

with virtual_accounts as (
    select * from {{ source('ledger', 'virtual_accounts') }}
),

versions as (
    select
        {{ text('virtual_account_id') }} as virtual_account_id,
        {{ code('operation') }} = 'delete' as is_deleted,
        {{ text('customer_ref') }} as customer_ref,
        {{ iban('iban') }} as iban,
        version,
        _loaded_at as loaded_at
    from virtual_accounts
    where {{ arrived_lately() }} and {{ understood('virtual_accounts') }}
)

{{ newest_versions('virtual_account_id', ['version', 'loaded_at'], kept=['customer_ref', 'iban']) }}
