{{ config(unique_key='beneficiary_id') }}

with beneficiaries as (
    select * from {{ source('ledger', 'beneficiaries') }}
),

versions as (
    select
        {{ text('beneficiary_id') }} as beneficiary_id,
        {{ code('operation') }} = 'delete' as is_deleted,
        {{ text('name') }} as name,
        {{ iban('iban') }} as iban,
        {{ iso('country') }} as country,
        version,
        _loaded_at as loaded_at
    from beneficiaries
    where {{ arrived_lately() }} and {{ understood('beneficiaries') }}
)

{{ newest_versions('beneficiary_id', ['version', 'loaded_at'], kept=['name', 'iban', 'country']) }}
