-- The virtual bank accounts of the program's customers. A closed account stays: its movements are still theirs.
select
    account.virtual_account_id,
    ids.customer_id,
    account.iban
from {{ ref('stg_ledger_virtual_account') }} as account
inner join {{ ref('customer_ids') }} as ids on ids.known_id = account.customer_ref
inner join {{ ref('program_customers') }} as customer on customer.customer_id = ids.customer_id
