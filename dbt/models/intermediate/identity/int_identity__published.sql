{{ config(materialized="incremental", full_refresh=false) }}

{{ publications('identity') }}
