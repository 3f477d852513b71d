{{ config(materialized="incremental", full_refresh=false, on_schema_change="append_new_columns", pre_hook="{{ clear_open_hours(['transactions']) }}", partition_by=filed_by_day('updated_at', 'timestamp')) }}

{{ quarantine('transactions', 'transaction') }}
