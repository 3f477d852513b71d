-- Who stands for each customer of the program: its contacts in Salesforce, or the person of its FenX entity while it has none there.
with relations as (
    select * from {{ ref('stg_salesforce__account_contact') }}
),

contacts as (
    select * from {{ ref('stg_salesforce__contact') }}
),

entities as (
    select * from {{ ref('stg_fenx__entity') }}
),

ids as (
    select * from {{ ref('int_customer_ids') }}
),

merged as (
    select * from {{ ref('int_salesforce__merged') }}
),

customers as (
    select * from {{ ref('int_program_customers') }}
),

related as (
    select
        ids.customer_id,
        coalesce(merged.surviving_id, relations.contact_id) as contact_id,
        relations.role
    from relations
    inner join ids on ids.known_id = relations.account_id
    left join merged on merged.record_id = relations.contact_id
    where not relations.is_deleted
),

from_salesforce as (
    select
        related.customer_id,
        related.role,
        contacts.contact_id,
        contacts.fenx_entity_id,
        contacts.given_name,
        contacts.family_name,
        contacts.date_of_birth,
        contacts.nationality,
        contacts.address_line,
        contacts.city,
        contacts.postal_code,
        contacts.address_country
    from related
    inner join customers on customers.customer_id = related.customer_id
    inner join contacts on contacts.contact_id = related.contact_id
    where not contacts.is_deleted and contacts.master_record_id is null
    -- One row a person: the role that weighs most.
    qualify row_number() over (
        partition by related.customer_id, contacts.contact_id
        order by
            case related.role when 'owner' then 1 when 'beneficial_owner' then 2 when 'director' then 3 else 4 end,
            related.role
    ) = 1
),

from_fenx as (
    select
        ids.customer_id,
        case when entities.type = 'company' then 'representative' else 'owner' end as role,
        entities.entity_id as contact_id,
        entities.entity_id as fenx_entity_id,
        entities.given_name,
        entities.family_name,
        entities.date_of_birth,
        entities.nationality,
        entities.address_line,
        entities.city,
        entities.postal_code,
        entities.address_country
    from entities
    inner join ids on ids.known_id = entities.entity_id
    inner join customers on customers.customer_id = ids.customer_id
    left join from_salesforce on from_salesforce.customer_id = ids.customer_id
    where not entities.is_deleted and from_salesforce.customer_id is null
)

select * from from_salesforce
union all
select * from from_fenx
