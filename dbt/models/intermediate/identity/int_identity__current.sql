-- One row a person that stands for a customer of the program.
with customers as (
    select * from {{ ref('int_program_customers') }}
),

contacts as (
    select * from {{ ref('int_customer_contacts') }}
),

documents as (
    select * from {{ ref('int_contact_documents') }}
)

select
    customers.customer_id,
    contacts.contact_id,
    customers.name as customer_name,
    customers.type as customer_type,
    customers.registration_number,
    customers.country as customer_country,
    customers.status as customer_status,
    contacts.role as contact_role,
    contacts.given_name,
    contacts.family_name,
    contacts.date_of_birth,
    contacts.nationality,
    contacts.address_line,
    contacts.city,
    contacts.postal_code,
    contacts.address_country,
    documents.type as document_type,
    documents.number as document_number,
    documents.country as document_country,
    documents.expires_on as document_expires_on,
    documents.source as document_source,
    true as is_shared,
    true as is_compared
from customers
inner join contacts on contacts.customer_id = customers.customer_id
left join documents on documents.contact_id = contacts.contact_id
