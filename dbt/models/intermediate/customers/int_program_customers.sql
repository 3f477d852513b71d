-- The customers whose data may be shared: in the program, and neither deleted nor merged into another.
select
    account.account_id as customer_id,
    account.name,
    account.type,
    account.registration_number,
    account.country,
    account.status
from {{ ref('stg_salesforce__account') }} as account
where account.in_program and not account.is_deleted and account.master_record_id is null
union all
select
    entity.entity_id as customer_id,
    entity.name,
    entity.type,
    entity.registration_number,
    entity.country,
    entity.status
from {{ ref('stg_fenx__entity') }} as entity
inner join {{ ref('int_customer_ids') }} as ids on ids.known_id = entity.entity_id and ids.customer_id = entity.entity_id
where entity.in_program and not entity.is_deleted
