{{ config(unique_key='account_contact_id') }}

with account_contacts as (
    select * from {{ source('salesforce', 'account_contact') }}
),

versions as (
    select
        {{ text('Id') }} as account_contact_id,
        coalesce(IsDeleted, false) as is_deleted,
        {{ text('AccountId') }} as account_id,
        {{ text('ContactId') }} as contact_id,
        {{ code('Role') }} as role,
        SystemModstamp as changed_at,
        _loaded_at as loaded_at
    from account_contacts
    where {{ arrived_lately() }} and {{ understood('account_contact') }}
)

{{ newest_versions('account_contact_id', ['changed_at', 'loaded_at']) }}
