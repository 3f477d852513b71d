{{ config(materialized="incremental", partition_by=filed_by_day('filed_on')) }}

-- depends_on: {{ ref('int_transactions__by_account') }}
{{ seen_versions('transactions', 'transaction', 'transaction_id') }}
