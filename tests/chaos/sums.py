"""Rows, keys and amounts of payments: of a file's content, and of the warehouse by SQL alone."""

from __future__ import annotations

import io
from decimal import Decimal

import duckdb
import pyarrow.csv
from google.cloud import bigquery

from localcloud.deployment import LocalDeployment
from pipeline.window import Slot

Sums = tuple[int, int, Decimal]
"""Rows, different keys, sum of amounts."""


def in_file(content: bytes) -> Sums:
    """Of a CSV file's content."""
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    rows = pyarrow.csv.read_csv(io.BytesIO(content), parse_options=options)
    query = "SELECT COUNT(*), COUNT(DISTINCT payment_id), SUM(CAST(amount AS DECIMAL(18, 2))) FROM rows"
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        count, keys, amount = connection.execute(query).fetchall()[0]
    return int(count), int(keys), Decimal(amount or 0)


def in_warehouse(deployment: LocalDeployment, slot: Slot) -> Sums:
    """Of what the warehouse holds for a slot now."""
    dataset, tables = deployment.datasets[slot.dataset], deployment.tables
    (row,) = tables.sql(
        "SELECT COUNT(*) AS n, COUNT(DISTINCT payment_id) AS k, SUM(amount) AS a "
        f"FROM `{tables.name}.{dataset.table}` WHERE updated_at >= @start AND updated_at < @end AND in_program",
        bigquery.ScalarQueryParameter("start", "TIMESTAMP", slot.window.start),
        bigquery.ScalarQueryParameter("end", "TIMESTAMP", slot.window.end),
    )
    return int(row["n"]), int(row["k"]), Decimal(row["a"] or 0)
