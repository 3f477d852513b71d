"""Rows that can be read: what a query found, or a table at a snapshot.

A result is either `Materialised` (Arrow in memory, and beyond 64 MB in a file that is already unlinked and
disappears with the last reader) or `Pinned`: SQL over snapshots that gives the same rows in the same order whenever
it is run, so that a plain extract of any size is never copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol

import duckdb
import pyarrow as pa

from . import single
from .catalog import Snapshot, quote
from .fields import Field, conform

BATCH_ROWS = 32_768
IN_MEMORY_BYTES = 64 * 2**20


class Rows(Protocol):
    @property
    def fields(self) -> tuple[Field, ...]: ...
    @property
    def count(self) -> int: ...
    def relation(self, cursor: duckdb.DuckDBPyConnection) -> str:
        """Something to select from on that cursor."""

    def batches(self, offset: int = 0, limit: int | None = None) -> Iterator[pa.RecordBatch]:
        """The rows from `offset`, at most `limit` of them, in an order that never changes."""


class Materialised:
    def __init__(self, fields: tuple[Field, ...], table: pa.Table) -> None:
        self.fields = fields
        self.table = table

    @property
    def count(self) -> int:
        return int(self.table.num_rows)

    def relation(self, cursor: duckdb.DuckDBPyConnection) -> str:
        return register(cursor, self.table)

    def batches(self, offset: int = 0, limit: int | None = None) -> Iterator[pa.RecordBatch]:
        yield from self.table.slice(offset, limit).to_batches(BATCH_ROWS)


class Pinned:
    """`sql` reads `snapshots` only; they are held so that dropping a table cannot take its rows away."""

    def __init__(
        self,
        fields: tuple[Field, ...],
        count: int,
        sql: str,
        snapshots: Sequence[Snapshot],
        cursor: Callable[[], duckdb.DuckDBPyConnection],
    ) -> None:
        self.fields = fields
        self.count = count
        self.sql = sql
        self.snapshots = snapshots
        self.cursor = cursor

    def relation(self, cursor: duckdb.DuckDBPyConnection) -> str:
        return f"({self.sql})"

    def batches(self, offset: int = 0, limit: int | None = None) -> Iterator[pa.RecordBatch]:
        cut = f" LIMIT {limit}" if limit is not None else ""
        cut += f" OFFSET {offset}" if offset else ""
        cursor = self.cursor()
        try:
            for batch in cursor.sql(f"SELECT * FROM ({self.sql}){cut}").to_arrow_reader(BATCH_ROWS):
                yield conform(batch, self.fields)
        finally:
            cursor.close()


def pinned(snapshot: Snapshot, cursor: Callable[[], duckdb.DuckDBPyConnection]) -> Pinned:
    """A whole table."""
    return Pinned(snapshot.fields, snapshot.count, snapshot.sql()[1:-1], [snapshot], cursor)


def materialise(relation: duckdb.DuckDBPyRelation, fields: tuple[Field, ...], scratch: Path) -> Materialised:
    """Run a query to its end, with at most 64 MB of it in memory."""
    schema = pa.schema([field.arrow for field in fields])
    batches, size = [], 0
    reader = relation.to_arrow_reader(BATCH_ROWS)
    for batch in reader:
        batches.append(conform(batch, fields))
        size += batches[-1].nbytes
        if size > IN_MEMORY_BYTES:
            return Materialised(fields, _spill(batches, reader, fields, scratch))
    return Materialised(fields, pa.Table.from_batches(batches, schema))


def _spill(
    first: list[pa.RecordBatch], rest: pa.RecordBatchReader, fields: tuple[Field, ...], scratch: Path
) -> pa.Table:
    with NamedTemporaryFile(dir=scratch, suffix=".arrow") as file:
        with pa.ipc.new_file(file.name, first[0].schema) as writer:
            for batch in first:
                writer.write_batch(batch)
            for batch in rest:
                writer.write_batch(conform(batch, fields))
        return pa.ipc.open_file(pa.memory_map(file.name)).read_all()


def select(rows: Rows, columns: Sequence[str], where: str | None, cursor: duckdb.DuckDBPyConnection) -> Rows:
    """Some columns of the rows that satisfy a DuckDB condition; Pinned where `rows` is."""
    by_name = {field.name.lower(): field for field in rows.fields}
    fields = tuple(by_name[name.lower()] for name in columns) if columns else rows.fields
    names = ", ".join(quote(field.name) for field in fields)
    if isinstance(rows, Pinned):
        sql = f"SELECT {names} FROM ({rows.sql})" + (f" WHERE {where}" if where else "")
        size = rows.count if not where else count(cursor, f"({sql})")
        return Pinned(fields, size, sql, rows.snapshots, rows.cursor)
    assert isinstance(rows, Materialised)
    table = rows.table
    if where:
        source = rows.relation(cursor)
        found = [
            conform(batch, rows.fields)
            for batch in cursor.sql(f"SELECT * FROM {source} WHERE {where}").to_arrow_reader(BATCH_ROWS)
        ]
        table = pa.Table.from_batches(found, table.schema)
    return Materialised(fields, table.select([field.name for field in fields]))


def count(cursor: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(single.row(cursor, f"SELECT count(*) FROM {relation}")[0])


def register(cursor: duckdb.DuckDBPyConnection, rows: pa.Table) -> str:
    """Make Arrow data selectable on that cursor, and say under which name."""
    name = f"arrow_{id(rows):x}"
    cursor.register(name, rows)
    return name
