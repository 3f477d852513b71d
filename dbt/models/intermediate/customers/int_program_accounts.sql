-- The virtual bank accounts of the program's customers. A closed account stays: its movements are still theirs.
with accounts as (
    select * from {{ ref('stg_ledger__virtual_account') }}
),

ids as (
    select * from {{ ref('int_customer_ids') }}
),

customers as (
    select * from {{ ref('int_program_customers') }}
)

select
    accounts.virtual_account_id,
    {{ bucket('accounts.virtual_account_id') }} as account_bucket,
    ids.customer_id,
    accounts.iban
from accounts
inner join ids on ids.known_id = accounts.customer_ref
inner join customers on customers.customer_id = ids.customer_id
