{{ config(materialized="incremental", on_schema_change="append_new_columns", partition_by=filed_by_bucket('filed_under'), cluster_by=none if target.type == 'duckdb' else 'virtual_account_id') }}

{{ filed_by_account('payment') }}
