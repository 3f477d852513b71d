{{ config(unique_key='id_doc_id') }}

with id_docs as (
    select * from {{ source('salesforce', 'id_doc') }}
),

versions as (
    select
        {{ text('Id') }} as id_doc_id,
        coalesce(IsDeleted, false) as is_deleted,
        {{ text('Contact__c') }} as contact_id,
        {{ code('Type__c') }} as type,
        {{ text('Number__c') }} as number,
        {{ iso('Issuing_Country__c') }} as country,
        Expiry_Date__c as expires_on,
        SystemModstamp as changed_at,
        _loaded_at as loaded_at
    from id_docs
    where {{ arrived_lately() }} and {{ understood('id_doc') }}
)

{{ newest_versions('id_doc_id', ['changed_at', 'loaded_at']) }}
