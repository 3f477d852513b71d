-- The identity document that counts for each contact: the one that expires last, of equals the one recorded last.
with documents as (
    select
        coalesce(merged.surviving_id, document.contact_id) as contact_id,
        document.type,
        document.number,
        document.country,
        document.expires_on,
        'salesforce' as source,
        document.changed_at
    from {{ ref('stg_salesforce__id_doc') }} as document
    left join {{ ref('int_salesforce__merged') }} as merged on merged.record_id = document.contact_id
    where not document.is_deleted
    union all
    select
        contact.contact_id,
        entity.document_type as type,
        entity.document_number as number,
        entity.document_country as country,
        entity.document_expires_on as expires_on,
        'fenx' as source,
        entity.changed_at
    from (select distinct contact_id, fenx_entity_id from {{ ref('int_customer_contacts') }}) as contact
    inner join {{ ref('stg_fenx__entity') }} as entity on entity.entity_id = contact.fenx_entity_id
    where not entity.is_deleted and entity.document_type is not null
)

select contact_id, type, number, country, expires_on, source
from documents
qualify row_number() over (
    partition by contact_id
    order by expires_on desc nulls last, changed_at desc, source, number
) = 1
