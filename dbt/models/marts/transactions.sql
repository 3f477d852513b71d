with current_rows as (
    select
        movement.transaction_id,
        account.customer_id,
        movement.virtual_account_id,
        account.iban as virtual_account_iban,
        movement.payment_id,
        movement.direction,
        movement.amount,
        movement.currency,
        movement.exchange_rate,
        movement.balance_after,
        movement.counterparty_name,
        movement.counterparty_iban,
        movement.description,
        movement.booked_at,
        movement.value_date
    from {{ ref('stg_ledger_transaction') }} as movement
    inner join {{ ref('program_accounts') }} as account on account.virtual_account_id = movement.virtual_account_id
    where not movement.is_deleted
)

{{ only_changes('current_rows') }}
