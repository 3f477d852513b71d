{{ config(materialized="incremental", pre_hook="{{ clear_open_hours(['payments', 'transactions']) }}") }}

{{ reference_changes(
    ref('int_program_accounts'), 'virtual_account_id', ['customer_id', 'iban'], ['payments', 'transactions']
) }}
