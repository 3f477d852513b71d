"""How many logical bytes a read is billed for."""

from __future__ import annotations

import duckdb

from . import single
from .catalog import Snapshot, quote

SAMPLE = 10_000
MEGABYTE = 2**20


def logical_bytes(snapshot: Snapshot, wanted: set[str] | None, cursor: duckdb.DuckDBPyConnection) -> int:
    """Rows times widths of the `wanted` columns (lower case; None: all), by https://cloud.google.com/bigquery/pricing#data.

    Texts count two bytes and their length, which is the average of the first ten thousand rows.
    """
    rows = snapshot.count
    fields = [field for field in snapshot.fields if wanted is None or field.name.lower() in wanted]
    widths = snapshot.generation.text_widths
    unknown = [field.name for field in fields if field.scalar.width is None and field.name not in widths]
    if unknown and rows:
        averages = ", ".join(f"avg(strlen(CAST({quote(name)} AS VARCHAR)))" for name in unknown)
        found = single.row(cursor, f"SELECT {averages} FROM (FROM {snapshot.generation.physical} LIMIT {SAMPLE})")
        widths.update(zip(unknown, (2 + (value or 0) for value in found), strict=True))
    return int(rows * sum(field.scalar.width or widths.get(field.name, 2) for field in fields))


def billed(processed: int) -> int:
    """Bytes billed: whole megabytes, ten at least where anything is read (https://cloud.google.com/bigquery/pricing)."""
    return max(10, -(-processed // MEGABYTE)) * MEGABYTE if processed else 0
