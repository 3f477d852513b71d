with current_rows as (
    select
        customer.customer_id,
        contact.contact_id,
        customer.name as customer_name,
        customer.type as customer_type,
        customer.registration_number,
        customer.country as customer_country,
        customer.status as customer_status,
        contact.role as contact_role,
        contact.given_name,
        contact.family_name,
        contact.date_of_birth,
        contact.nationality,
        contact.address_line,
        contact.city,
        contact.postal_code,
        contact.address_country,
        document.type as document_type,
        document.number as document_number,
        document.country as document_country,
        document.expires_on as document_expires_on,
        document.source as document_source
    from {{ ref('program_customers') }} as customer
    inner join {{ ref('customer_contacts') }} as contact on contact.customer_id = customer.customer_id
    left join {{ ref('contact_documents') }} as document on document.contact_id = contact.contact_id
)

{{ only_changes('current_rows') }}
