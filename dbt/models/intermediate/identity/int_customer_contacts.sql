-- Who stands for each customer of the program: its contacts in Salesforce, or the person of its FenX entity while it has none there.
with related as (
    select
        ids.customer_id,
        coalesce(merged.surviving_id, relation.contact_id) as contact_id,
        relation.role
    from {{ ref('stg_salesforce__account_contact') }} as relation
    inner join {{ ref('int_customer_ids') }} as ids on ids.known_id = relation.account_id
    left join {{ ref('int_salesforce__merged') }} as merged on merged.record_id = relation.contact_id
    where not relation.is_deleted
),

from_salesforce as (
    select
        related.customer_id,
        related.role,
        contact.contact_id,
        contact.fenx_entity_id,
        contact.given_name,
        contact.family_name,
        contact.date_of_birth,
        contact.nationality,
        contact.address_line,
        contact.city,
        contact.postal_code,
        contact.address_country
    from related
    inner join {{ ref('int_program_customers') }} as customer on customer.customer_id = related.customer_id
    inner join {{ ref('stg_salesforce__contact') }} as contact on contact.contact_id = related.contact_id
    where not contact.is_deleted and contact.master_record_id is null
    -- One row a person: the role that weighs most.
    qualify row_number() over (
        partition by related.customer_id, contact.contact_id
        order by
            case related.role when 'owner' then 1 when 'beneficial_owner' then 2 when 'director' then 3 else 4 end,
            related.role
    ) = 1
),

from_fenx as (
    select
        ids.customer_id,
        case when entity.type = 'company' then 'representative' else 'owner' end as role,
        entity.entity_id as contact_id,
        entity.entity_id as fenx_entity_id,
        entity.given_name,
        entity.family_name,
        entity.date_of_birth,
        entity.nationality,
        entity.address_line,
        entity.city,
        entity.postal_code,
        entity.address_country
    from {{ ref('stg_fenx__entity') }} as entity
    inner join {{ ref('int_customer_ids') }} as ids on ids.known_id = entity.entity_id
    inner join {{ ref('int_program_customers') }} as customer on customer.customer_id = ids.customer_id
    left join from_salesforce on from_salesforce.customer_id = ids.customer_id
    where not entity.is_deleted and from_salesforce.customer_id is null
)

select * from from_salesforce
union all
select * from from_fenx
