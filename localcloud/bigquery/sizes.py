"""Logical bytes of rows, and what is billed for reading them: https://cloud.google.com/bigquery/pricing#data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from . import single
from .catalog import Snapshot, quote
from .fields import Field

SAMPLE = 10_000
MEGABYTE = 2**20
LEAST_MEGABYTES = 10
ROWS = ""
"""Stands for the number of rows among the names of columns, where only a sample was looked at."""


def logical_bytes(
    snapshot: Snapshot, wanted: set[str] | None, cursor: duckdb.DuckDBPyConnection, where: str = ""
) -> int:
    """Bytes of the `wanted` columns (lower case; None: all) over the rows that satisfy a DuckDB condition.

    Exact up to ten thousand rows; beyond that the average of the first ten thousand stands for all. What was counted
    of a snapshot is kept with it, as it never changes.
    """
    fields = [field for field in snapshot.fields if wanted is None or field.name.lower() in wanted]
    if not fields:
        return 0
    known = snapshot.generation.sizes.setdefault((snapshot.number, where), {})
    if missing := [field for field in fields if field.name not in known]:
        source = snapshot.sql() + (f" WHERE {where}" if where else "")
        widths = ", ".join(f"coalesce(sum({_width(field)}), 0)" for field in missing)
        columns = ", ".join(quote(field.name) for field in missing)
        rows, *sums = single.row(
            cursor, f"SELECT count(*), {widths} FROM (SELECT {columns} FROM {source} LIMIT {SAMPLE})"
        )
        if rows == SAMPLE and ROWS not in known:
            known[ROWS] = single.row(cursor, f"SELECT count(*) FROM {source}")[0] if where else snapshot.count
        known.update({field.name: int(size) for field, size in zip(missing, sums, strict=True)})
    return sum(known[field.name] for field in fields) * known.get(ROWS, SAMPLE) // SAMPLE


def billed(processed: Iterable[int]) -> int:
    """Bytes billed for tables of so many bytes: 10 MB at least for each and for all, whole megabytes for all.

    https://cloud.google.com/bigquery/pricing#on_demand_pricing. A table of which nothing is read costs nothing.
    """
    least = LEAST_MEGABYTES * MEGABYTE
    total = sum(max(size, least) for size in processed if size)
    return -(-total // MEGABYTE) * MEGABYTE


def schema_bytes(fields: Sequence[Field]) -> int:
    """What a row takes where nobody looks: for the estimates of the Storage Read API."""
    return sum(field.scalar.width or 16 for field in fields)


def _width(field: Field) -> str:
    """Bytes of one value as a DuckDB expression; null counts nothing."""
    name = quote(field.name)
    if field.mode != "REPEATED":
        return _value(field, name)
    one = _value(field, "one")
    return f"list_sum(list_transform({name}, lambda one: {one}))"


def _value(field: Field, value: str) -> str:
    if field.scalar.width is not None:
        return f"CASE WHEN {value} IS NULL THEN 0 ELSE {field.scalar.width} END"
    if field.type == "BYTES":
        return f"2 + octet_length({value})"
    text = value if field.type == "STRING" else f"CAST({value} AS VARCHAR)"
    return f"2 + strlen({text})"
