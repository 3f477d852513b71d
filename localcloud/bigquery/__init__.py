"""A small honest BigQuery: REST v2 and the Storage Read API over DuckDB, for tests and demonstrations on one machine.

    python -m localcloud.bigquery --rest-port 0 --grpc-port 0 [--database FILE] [--latency-ms N] [--job-ms N] \
        [--exit-with-parent]

When it is ready it prints one line of JSON with its addresses. What it does not know it refuses with 501 (REST) or
UNIMPLEMENTED (gRPC), and says so on stderr.

Where it differs from the real service:

- BIGNUMERIC has 20 digits before the point and 18 after it. A value beyond that is refused. NUMERIC is exact.
- FARM_FINGERPRINT and everything built on it gives other numbers, as deterministic as Google's.
- AVG of a NUMERIC, and a quotient of two, are FLOAT64; SIGN is INT64. FLOAT64 from 10^15 to 10^17 is written
  without an exponent.
- No STRUCT, GEOGRAPHY, INTERVAL or RANGE columns, no routines, no legacy SQL, no copy jobs, extract jobs to one CSV
  file only, no loads from Cloud Storage, no transactions of several statements, no ALTER TABLE beyond ADD COLUMN and
  SET OPTIONS.
- It takes what BigQuery refuses: '1.5' and ' 12 ' cast to INT64, 'yes' to BOOL, SUBSTR of a negative length, LOG(0),
  SQRT(-1), REGEXP_EXTRACT of two groups, an offset beyond an array's end (NULL), ORDER BY of an ARRAY, GENERATE_ARRAY
  with a step of 0, DROP TABLE of a view. SUBSTR from 0 gives a character less than from 1. No function with SAFE.
- A JSON number too long for a double is refused by load jobs into NUMERIC: send a string.
- Bytes are counted by columns and partitions as README.md says; clustering has no effect.
- Query results are kept for 24 hours, and the latest thousand of them. Nobody is asked for credentials.
- Rows that were changed are never cleaned up while their table exists: time travel reads them.
- `POST /_faults` (see `faults`).

From the wire inwards: `rest` (`wire`, `rest_*`, `uploads`, `cells`) and `storage_read` (`messages`) -> `service`
(`jobs`, `anonymous`, `writes`, `load`) -> `statements` (`query`, `dml`, `merge`, `ddl`; for bytes `reads`,
`partitions`, `sizes`) -> `scope` and `dialect` (`macros`, `parameters`, `information_schema`) -> `warehouse`
(`catalog`, `changes`, `ledger`, `clock`).
"""
