"""Google's own SQL engine as the gate of the local BigQuery: a statement that it refuses does not run.

`engine` runs the analyzer and the reference evaluator, `types` says tables and parameters in its words, `gate` decides
about a statement, and `rules` are what BigQuery refuses beyond the engine. `python -m localcloud.bigquery.googlesql`
compiles the engine once for this virtual environment.
"""
