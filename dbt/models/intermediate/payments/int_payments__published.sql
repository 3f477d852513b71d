{{ config(materialized="incremental", full_refresh=false, partition_by=filed_by_day('filed_on')) }}

{{ publications('payments', 'created_at') }}
