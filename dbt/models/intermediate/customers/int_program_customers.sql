-- The customers whose data may be shared: in the program, and neither deleted nor merged into another.
with accounts as (
    select * from {{ ref('stg_salesforce__account') }}
),

entities as (
    select * from {{ ref('stg_fenx__entity') }}
),

ids as (
    select * from {{ ref('int_customer_ids') }}
)

select account_id as customer_id, name, type, registration_number, country, status
from accounts
where in_program and not is_deleted and master_record_id is null
union all
select
    entities.entity_id as customer_id,
    entities.name,
    entities.type,
    entities.registration_number,
    entities.country,
    entities.status
from entities
inner join ids on ids.known_id = entities.entity_id and ids.customer_id = entities.entity_id
where entities.in_program and not entities.is_deleted
