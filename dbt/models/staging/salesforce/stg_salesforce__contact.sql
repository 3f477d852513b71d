{{ config(unique_key='contact_id') }}

with contacts as (
    select * from {{ source('salesforce', 'contact') }}
),

versions as (
    select
        {{ text('Id') }} as contact_id,
        {{ text('MasterRecordId') }} as master_record_id,
        coalesce(IsDeleted, false) as is_deleted,
        {{ text('FirstName') }} as given_name,
        {{ text('LastName') }} as family_name,
        Birthdate as date_of_birth,
        {{ iso('Nationality__c') }} as nationality,
        {{ text('MailingStreet') }} as address_line,
        {{ text('MailingCity') }} as city,
        {{ text('MailingPostalCode') }} as postal_code,
        {{ iso('MailingCountryCode') }} as address_country,
        {{ text('FenX_Entity_Id__c') }} as fenx_entity_id,
        SystemModstamp as changed_at,
        _loaded_at as loaded_at
    from contacts
    where {{ arrived_lately() }} and {{ understood('contact') }}
)

{{ newest_versions('contact_id', ['changed_at', 'loaded_at'], kept=['fenx_entity_id', 'master_record_id']) }}
