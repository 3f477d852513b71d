"""A small honest BigQuery: REST v2 and the Storage Read API over DuckDB, for tests and demonstrations on one machine.

    python -m tests.stack.bigquery --rest-port 0 --grpc-port 0 [--database FILE] [--latency-ms N] [--exit-with-parent]

When it is ready it prints one line of JSON with its addresses. What it does not know it refuses with 501 (REST) or
UNIMPLEMENTED (gRPC), and says so on stderr.
"""
