-- The identity document that counts for each contact: the one that expires last, of equals the one recorded last.
with merged as (
    select * from {{ ref('int_salesforce__merged') }}
),

salesforce_documents as (
    select * from {{ ref('stg_salesforce__id_doc') }}
),

salesforce_contacts as (
    select * from {{ ref('stg_salesforce__contact') }}
),

contacts as (
    select * from {{ ref('int_customer_contacts') }}
),

entities as (
    select * from {{ ref('stg_fenx__entity') }}
),

-- The entities of a contact: the one that it names, and those that the contacts that were merged into it named.
named as (
    select contact_id, fenx_entity_id
    from contacts
    union distinct
    select merged.surviving_id as contact_id, salesforce_contacts.fenx_entity_id
    from salesforce_contacts
    inner join merged on merged.record_id = salesforce_contacts.contact_id
),

documents as (
    select
        coalesce(merged.surviving_id, salesforce_documents.contact_id) as contact_id,
        salesforce_documents.type,
        salesforce_documents.number,
        salesforce_documents.country,
        salesforce_documents.expires_on,
        'salesforce' as source,
        salesforce_documents.changed_at
    from salesforce_documents
    left join merged on merged.record_id = salesforce_documents.contact_id
    where not salesforce_documents.is_deleted
    union all
    select
        named.contact_id,
        entities.document_type as type,
        entities.document_number as number,
        entities.document_country as country,
        entities.document_expires_on as expires_on,
        'fenx' as source,
        entities.changed_at
    from named
    inner join entities on entities.entity_id = named.fenx_entity_id
    where not entities.is_deleted and entities.document_type is not null
)

select contact_id, type, number, country, expires_on, source
from documents
qualify row_number() over (
    partition by contact_id
    order by expires_on desc nulls last, changed_at desc, source, number, country, type
) = 1
