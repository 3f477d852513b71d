-- Every id under which a customer may be known, and the one it is shared by: the surviving Salesforce account, or the FenX
-- entity as long as no account names it.
with accounts as (
    select
        account.account_id,
        account.fenx_entity_id,
        account.is_deleted,
        account.changed_at,
        coalesce(merged.surviving_id, account.account_id) as customer_id
    from {{ ref('stg_salesforce__account') }} as account
    left join {{ ref('int_salesforce__merged') }} as merged on merged.record_id = account.account_id
),

-- A deleted account keeps its entity too: deleting a customer in Salesforce must not bring it back by way of FenX.
entities as (
    select fenx_entity_id, customer_id
    from accounts
    where fenx_entity_id is not null
    qualify row_number() over (
        partition by fenx_entity_id
        order by is_deleted and customer_id = account_id, changed_at desc, account_id
    ) = 1
)

select account_id as known_id, customer_id
from accounts
union all
select entity.entity_id as known_id, coalesce(entities.customer_id, entity.entity_id) as customer_id
from {{ ref('stg_fenx__entity') }} as entity
left join entities on entities.fenx_entity_id = entity.entity_id
