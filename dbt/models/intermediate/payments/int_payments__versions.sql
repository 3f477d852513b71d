{{ config(materialized="incremental", partition_by=filed_by_day('filed_on')) }}

-- depends_on: {{ ref('int_payments__by_account') }}
{{ seen_versions('payments', 'payment', 'payment_id') }}
