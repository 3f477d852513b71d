"""The storage: DuckDB tables behind a catalog, read at snapshots and changed by commits.

Reads never wait for writes. Writes to one table take turns; each is one DuckDB transaction that ends in one commit,
whose time is taken under the clock's lock. With a database file the catalog lies in it and survives a restart.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from . import functions
from .catalog import Dataset, DatasetRef, Generation, Snapshot, Table, TableRef
from .changes import Change, create_physical
from .clock import Clock
from .errors import already_exists, invalid, not_found
from .fields import Field
from .ledger import Ledger
from .macros import MACROS


class Warehouse:
    """All projects' datasets and tables in one DuckDB. Methods may be called from any thread."""

    def __init__(self, database: Path | None = None) -> None:
        self.clock = Clock()
        self.scratch = TemporaryDirectory(prefix="bigquery-")
        config: dict[str, Any] = {"temp_directory": self.scratch.name, "autoinstall_known_extensions": False}
        config["autoload_known_extensions"] = False
        self._connection = duckdb.connect(str(database) if database else ":memory:", config=config)
        self._connection.execute("SET GLOBAL TimeZone = 'UTC'; CREATE SCHEMA IF NOT EXISTS data")
        functions.register(self._connection)
        for macro in MACROS:
            self._connection.execute(macro)
        self._ledger = Ledger(self._connection)
        self.datasets = self._ledger.load()
        self._locks: dict[TableRef, threading.RLock] = {}
        self._guard = threading.RLock()
        self._next = self._ledger.next_generation()
        self._orphans: deque[str] = deque()
        for dataset in self.datasets.values():
            for table in dataset.tables.values():
                for generation in table.generations:
                    self._adopt(generation)

    def close(self) -> None:
        with suppress(duckdb.Error):  # a query still running holds it open; what was committed is in the file already
            self._connection.close()
        self.scratch.cleanup()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the same database; close it after use."""
        cursor = self._connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        return cursor

    # Datasets

    def dataset(self, ref: DatasetRef) -> Dataset:
        try:
            return self.datasets[ref]
        except KeyError:
            raise not_found(f"Dataset {ref}") from None

    def create_dataset(self, ref: DatasetRef, properties: dict[str, Any]) -> Dataset:
        with self._guard:
            if ref in self.datasets:
                raise already_exists(f"Dataset {ref}")
            now = self.clock.tick()
            self.datasets[ref] = Dataset(ref, properties, now, now)
            self._ledger.save_dataset(self.datasets[ref])
            return self.datasets[ref]

    def update_dataset(self, dataset: Dataset, properties: dict[str, Any]) -> None:
        with self._guard:
            dataset.properties, dataset.modified = properties, self.clock.tick()
            self._ledger.save_dataset(dataset)

    def delete_dataset(self, ref: DatasetRef, *, contents: bool) -> None:
        with self._guard:
            dataset = self.dataset(ref)
            if dataset.tables and not contents:
                raise invalid(f"Dataset {ref} is still in use")
            for name in list(dataset.tables):
                self.drop_table(TableRef(*ref, name))
            del self.datasets[ref]
            self._ledger.delete_dataset(ref)

    # Tables

    def find(self, ref: TableRef) -> Table | None:
        table = self.dataset(ref.parent).tables.get(ref.table)
        if table and table.expires and table.expires < self.clock.tick():
            self.drop_table(ref)
            return None
        return table

    def table(self, ref: TableRef) -> Table:
        table = self.find(ref)
        if table is None:
            raise not_found(f"Table {ref} was not found in location US")
        return table

    def snapshot(self, ref: TableRef, at: datetime | None = None) -> Snapshot:
        """The rows of a table now, or as of `at`; it stays readable for as long as it is held."""
        table = self.table(ref)
        if table.view is not None:
            raise invalid(f"{ref} is a view: it has no rows of its own")
        with self.clock.lock:
            return table.snapshot() if at is None else table.snapshot_at(at, self.clock.tick())

    def turn(self, ref: TableRef) -> threading.RLock:
        """The right to write a table; taken by every change, and by who must decide before one what it will be."""
        with self._guard:
            return self._locks.setdefault(ref, threading.RLock())

    def create_view(self, ref: TableRef, view: str, fields: tuple[Field, ...], properties: dict[str, Any]) -> Table:
        with self.turn(ref):
            now = self.clock.tick()
            table = Table(ref, properties, now, now, view=view, view_fields=fields)
            self.dataset(ref.parent).tables[ref.table] = table
            self._ledger.save_table(table)
            return table

    def update_table(self, table: Table, properties: dict[str, Any]) -> None:
        with self.turn(table.ref):
            table.properties, table.modified = properties, self.clock.tick()
            self._ledger.save_table(table)

    def add_columns(self, table: Table, fields: tuple[Field, ...]) -> None:
        """New columns at the end, null in every row. Raises `invalid` for a taken name."""
        with self.turn(table.ref):
            taken = {one.name.lower() for one in table.fields}
            for field in fields:
                if field.name.lower() in taken or field.mode == "REQUIRED":
                    raise invalid(f"Cannot add column {field.name} to {table.ref}: it exists, or it is REQUIRED")
                self._connection.cursor().execute(
                    f'ALTER TABLE {table.live.physical} ADD COLUMN "{field.name}" {field.duckdb}'
                )
            table.live.fields = (*table.live.fields, *fields)
            table.modified = self.clock.tick()
            self._ledger.save_table(table)

    def change_column(self, table: Table, field: Field) -> None:
        """Another mode or precision for the column of that name. Its values are kept as they are."""
        with self.turn(table.ref):
            table.live.fields = tuple(field if one.name == field.name else one for one in table.fields)
            table.modified = self.clock.tick()
            self._ledger.save_table(table)

    def drop_table(self, ref: TableRef) -> None:
        with self.turn(ref):
            self.dataset(ref.parent).tables.pop(ref.table, None)
            self._ledger.delete_table(ref)

    # Changes

    @contextmanager
    def change(self, ref: TableRef) -> Iterator[Change]:
        """One commit on an existing table: all of it when the block ends well, nothing when it raises."""
        with self.turn(ref):
            table = self.table(ref)
            if table.view is not None:
                raise invalid(f"{ref} is a view and cannot be written")
            with self._transaction(table, table.live) as change:
                yield change

    @contextmanager
    def rebuild(self, ref: TableRef, fields: tuple[Field, ...], properties: dict[str, Any]) -> Iterator[Change]:
        """A table created, or replaced while its past stays readable; visible when the block ends well."""
        with self.turn(ref):
            now = self.clock.tick()
            old = self.dataset(ref.parent).tables.get(ref.table)
            table = Table(ref, properties, old.created if old else now, now, list(old.generations) if old else [])
            with self._guard:
                generation = Generation(self._next, fields)
                self._next += 1
            self._adopt(generation)
            with self._transaction(table, generation) as change:
                create_physical(change)
                yield change

    @contextmanager
    def _transaction(self, table: Table, generation: Generation) -> Iterator[Change]:
        self._sweep()
        cursor = self.cursor()
        with self.clock.lock:  # what DuckDB shows this transaction is exactly what was committed before `now`
            cursor.begin()
            cursor.execute("FROM ledger.commits LIMIT 0")
            change = Change(cursor, table, generation, self.clock.tick())
        try:
            yield change
            with self.clock.lock:
                commit = change.commit(self.clock.tick())
                self._ledger.record(cursor, change, commit)
                cursor.commit()
                generation.commits.append(commit)
                table.modified = commit.at
                self.dataset(table.ref.parent).tables[table.ref.table] = table
        except BaseException:
            cursor.rollback()
            raise
        finally:
            cursor.close()

    def _adopt(self, generation: Generation) -> None:
        """Have the physical table dropped once nothing refers to the generation any more."""
        weakref.finalize(generation, self._orphans.append, generation.physical).atexit = False

    def _sweep(self) -> None:
        """Drop physical tables that neither the catalog nor a result refers to any more. Several threads may."""
        while True:
            try:
                orphan = self._orphans.popleft()
            except IndexError:
                return
            self._connection.cursor().execute(f"DROP TABLE IF EXISTS {orphan}")
