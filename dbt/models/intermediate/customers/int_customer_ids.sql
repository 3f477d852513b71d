-- Every id under which a customer may be known, and the one it is shared by: the surviving Salesforce account, or the FenX
-- entity as long as no account names it.
with salesforce_accounts as (
    select * from {{ ref('stg_salesforce__account') }}
),

merged as (
    select * from {{ ref('int_salesforce__merged') }}
),

entities as (
    select * from {{ ref('stg_fenx__entity') }}
),

accounts as (
    select
        salesforce_accounts.account_id,
        salesforce_accounts.fenx_entity_id,
        salesforce_accounts.is_deleted,
        salesforce_accounts.changed_at,
        coalesce(merged.surviving_id, salesforce_accounts.account_id) as customer_id
    from salesforce_accounts
    left join merged on merged.record_id = salesforce_accounts.account_id
),

-- A deleted account keeps its entity too: deleting a customer in Salesforce must not bring it back by way of FenX.
named as (
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
select entities.entity_id as known_id, coalesce(named.customer_id, entities.entity_id) as customer_id
from entities
left join named on named.fenx_entity_id = entities.entity_id
