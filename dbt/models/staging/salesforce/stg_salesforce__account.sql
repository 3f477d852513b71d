{{ config(unique_key='account_id') }}

with accounts as (
    select * from {{ source('salesforce', 'account') }}
),

versions as (
    select
        {{ text('Id') }} as account_id,
        {{ text('MasterRecordId') }} as master_record_id,
        coalesce(IsDeleted, false) as is_deleted,
        {{ text('Name') }} as name,
        {{ code('Type') }} as type,
        {{ text('Registration_Number__c') }} as registration_number,
        {{ iso('BillingCountryCode') }} as country,
        {{ code('Status__c') }} as status,
        {{ text('FenX_Entity_Id__c') }} as fenx_entity_id,
        coalesce(Amazon_PSPP__c, false) as in_program,
        SystemModstamp as changed_at,
        _loaded_at as loaded_at
    from accounts
    where {{ arrived_lately() }} and {{ understood('account') }}
)

{{ newest_versions('account_id', ['changed_at', 'loaded_at'], kept=['fenx_entity_id', 'master_record_id']) }}
