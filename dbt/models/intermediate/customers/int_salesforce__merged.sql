-- Salesforce accounts and contacts that were merged into another: the record that is left at the end of the chain.
-- Chains that are longer than merge_chain_limit, or go in a circle, fail the test on this table.
-- Stays a table without a contract: BigQuery takes a recursive query only at the top of CREATE TABLE AS.
with recursive accounts as (
    select * from {{ ref('stg_salesforce__account') }}
),

contacts as (
    select * from {{ ref('stg_salesforce__contact') }}
),

merged as (
    select account_id as record_id, master_record_id
    from accounts
    where master_record_id is not null
    union all
    select contact_id as record_id, master_record_id
    from contacts
    where master_record_id is not null
),

chain as (
    select record_id, master_record_id as surviving_id, 1 as steps
    from merged
    union all
    select chain.record_id, merged.master_record_id as surviving_id, chain.steps + 1 as steps
    from chain
    inner join merged on merged.record_id = chain.surviving_id
    where chain.steps < {{ var('merge_chain_limit') }}
)

select record_id, surviving_id
from chain
qualify row_number() over (partition by record_id order by steps desc) = 1
