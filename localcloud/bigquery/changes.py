"""One commit in the making: rows added to a table and rows taken away, inside one DuckDB transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb

from . import single
from .catalog import NEVER, Commit, Generation, Table, quote
from .errors import invalid_query
from .fields import Field
from .partitions import Partitioning

# Partitions that one job may write: https://cloud.google.com/bigquery/quotas#partitioned_tables
MOST_PARTITIONS = 4000


class Change:
    """What `Warehouse.change` and `Warehouse.rebuild` hand out. `cursor` is inside the transaction."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, table: Table, generation: Generation, now: datetime) -> None:
        self.cursor = cursor
        self.table = table
        self.generation = generation
        self.now = now
        self.number = generation.commits[-1].number + 1 if generation.commits else 1
        self.added = 0
        self.removed = 0

    def live(self, extra: str = "") -> str:
        """The rows before this change as a parenthesised SELECT, with `extra` (such as rowid) beside the columns."""
        names = ", ".join([quote(field.name) for field in self.generation.fields] + ([extra] if extra else []))
        return f"(SELECT {names} FROM {self.generation.physical} WHERE __born < {self.number} AND __died = {NEVER})"

    def append(self, source: str, columns: Sequence[str], defaults: Mapping[str, str] | None = None) -> int:
        """Add the rows of `source` (a relation) and return how many. Each value is made to fit its column or refused.

        `columns` are the columns that the source has, named as the table's; the others get `defaults` (DuckDB
        expressions by lower-case name), else null.
        """
        given = {name.lower(): quote(name) for name in columns}
        known = {field.name.lower() for field in self.generation.fields}
        for name in given:
            if name not in known:
                raise invalid_query(f"Column {name} is not present in table {self.table.ref}")
        values = [
            store(given.get(field.name.lower()) or (defaults or {}).get(field.name.lower(), "NULL"), field)
            for field in self.generation.fields
        ]
        names = ", ".join([quote(field.name) for field in self.generation.fields])
        added = self._count(
            f"INSERT INTO {self.generation.physical} ({names}, __born, __died) "
            f"SELECT {', '.join(values)}, {self.number}, {NEVER} FROM {source}"
        )
        self.added += added
        return added

    def remove(self, rows: str) -> int:
        """Hide the rows whose rowid the relation `rows` returns, from this commit on."""
        removed = self._count(f"UPDATE {self.generation.physical} SET __died = {self.number} WHERE rowid IN {rows}")
        self.removed += removed
        return removed

    def commit(self, at: datetime) -> Commit:
        """The commit as it is recorded. Raises `invalidQuery` for more partitions than BigQuery allows one job."""
        by = Partitioning.of(self.table.properties, self.generation.fields)
        if by is not None and self.added > MOST_PARTITIONS:
            start = by.floor(quote(by.field.name))
            written = f"FROM {self.generation.physical} WHERE __born = {self.number}"
            (number,) = single.row(self.cursor, f"SELECT count(DISTINCT {start}) {written}")
            if number > MOST_PARTITIONS:
                raise invalid_query(
                    f"Too many partitions produced by query, allowed {MOST_PARTITIONS}, query produces at least "
                    f"{number} partitions"
                )
        return Commit(self.number, at, self.added, self.removed)

    def _count(self, sql: str) -> int:
        return int(single.row(self.cursor, sql)[0])


def create_physical(change: Change) -> None:
    """The DuckDB table of a new generation."""
    columns = [
        quote(field.name) + " " + field.duckdb + (" NOT NULL" if field.mode == "REQUIRED" else "")
        for field in change.generation.fields
    ]
    ddl = ", ".join([*columns, "__born INTEGER NOT NULL", "__died INTEGER NOT NULL"])
    change.cursor.execute(f"CREATE TABLE {change.generation.physical} ({ddl})")


def store(value: str, field: Field) -> str:
    """The expression that stores `value` in the column: BigQuery's rounding and limits, errors in place of loss."""
    if field.mode == "REPEATED":
        return f"COALESCE(CAST({value} AS {field.duckdb}), [])"
    if field.type == "JSON":
        return f"CAST(bq_json_text(CAST({value} AS VARCHAR)) AS JSON)"
    if field.type == "BIGNUMERIC":
        return f"bq_bignumeric({value})"
    if field.type == "NUMERIC" and field.precision is not None:
        return f"CAST(CAST({value} AS DECIMAL({field.precision}, {field.scale or 0})) AS {field.duckdb})"
    if field.max_length is not None:
        sized = f"CAST({value} AS {field.duckdb})"
        length = "octet_length" if field.type == "BYTES" else "length"
        message = f"'Field {field.name}: a value is longer than {field.sql_type}'"
        return f"CASE WHEN {length}({sized}) > {field.max_length} THEN error({message}) ELSE {sized} END"
    return f"CAST({value} AS {field.duckdb})"
