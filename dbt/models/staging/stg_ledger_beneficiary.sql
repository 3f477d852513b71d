{{ config(unique_key='beneficiary_id') }}

with versions as (
    select
        beneficiary_id,
        coalesce(operation = 'delete', false) as is_deleted,
        {{ text('name') }} as name,
        {{ iban('iban') }} as iban,
        {{ iso('country') }} as country,
        version,
        _loaded_at as loaded_at
    from {{ source('ledger', 'beneficiaries') }}
    where {{ arrived_lately() }}
)

{{ newest_versions('versions', 'beneficiary_id', ['version', 'loaded_at']) }}
