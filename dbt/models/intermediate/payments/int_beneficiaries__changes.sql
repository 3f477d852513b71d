{{ config(materialized="incremental", pre_hook="{{ clear_open_hours(['payments']) }}") }}

{{ reference_changes(ref('stg_ledger__beneficiary'), 'beneficiary_id', ['name', 'iban', 'country'], ['payments']) }}
