"""The catalog's copy inside DuckDB, so that a database file can be opened again with its tables and their past."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta

import duckdb

from .catalog import Commit, Dataset, DatasetRef, Generation, Table, TableRef
from .changes import Change
from .clock import EPOCH
from .fields import Field

SCHEMA = """
    CREATE SCHEMA IF NOT EXISTS ledger;
    CREATE TABLE IF NOT EXISTS ledger.datasets
        (project VARCHAR, dataset VARCHAR, properties VARCHAR, created BIGINT, modified BIGINT);
    CREATE TABLE IF NOT EXISTS ledger.tables
        (project VARCHAR, dataset VARCHAR, name VARCHAR, properties VARCHAR, created BIGINT, modified BIGINT,
        view_sql VARCHAR, view_fields VARCHAR, generations INTEGER[], fields VARCHAR[]);
    CREATE TABLE IF NOT EXISTS ledger.commits
        (generation INTEGER, number INTEGER, micros BIGINT, added BIGINT, removed BIGINT);
"""
MICROSECOND = timedelta(microseconds=1)


class Ledger:
    """Writes what the catalog becomes; reads it back once, at the start."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        connection.execute(SCHEMA)

    def load(self) -> dict[DatasetRef, Dataset]:
        """Everything that was recorded; physical tables that nothing refers to are dropped."""
        cursor = self._connection.cursor()
        datasets: dict[DatasetRef, Dataset] = {}
        for project, name, properties, created, modified in cursor.execute("FROM ledger.datasets").fetchall():
            owner = DatasetRef(project, name)
            datasets[owner] = Dataset(owner, json.loads(properties), _time(created), _time(modified))
        kept = set()
        for project, name, table, properties, created, modified, view, view_fields, numbers, fields in cursor.execute(
            "FROM ledger.tables"
        ).fetchall():
            ref, past = TableRef(project, name, table), []
            for number, columns in zip(numbers, fields, strict=True):
                commits = cursor.execute(
                    "SELECT number, micros, added, removed FROM ledger.commits WHERE generation = ? ORDER BY number",
                    [number],
                ).fetchall()
                past.append(
                    Generation(
                        number, _fields(columns), [Commit(n, _time(at), add, gone) for n, at, add, gone in commits]
                    )
                )
            kept |= {generation.physical for generation in past}
            datasets[ref.parent].tables[table] = Table(
                ref, json.loads(properties), _time(created), _time(modified), past, view, _fields(view_fields)
            )
        for (physical,) in cursor.execute(
            "SELECT 'data.' || table_name FROM duckdb_tables() WHERE schema_name = 'data'"
        ).fetchall():
            if physical not in kept:
                cursor.execute(f"DROP TABLE {physical}")
        return datasets

    def next_generation(self) -> int:
        row = (
            self._connection.cursor().execute("SELECT coalesce(max(generation), 0) + 1 FROM ledger.commits").fetchone()
        )
        return int(row[0]) if row else 1

    def save_dataset(self, dataset: Dataset) -> None:
        self.delete_dataset(dataset.ref)
        row = [*dataset.ref, json.dumps(dataset.properties), _micros(dataset.created), _micros(dataset.modified)]
        self._connection.cursor().execute("INSERT INTO ledger.datasets VALUES (?, ?, ?, ?, ?)", row)

    def delete_dataset(self, ref: DatasetRef) -> None:
        self._connection.cursor().execute("DELETE FROM ledger.datasets WHERE project = ? AND dataset = ?", list(ref))

    def save_table(self, table: Table, cursor: duckdb.DuckDBPyConnection | None = None) -> None:
        cursor = cursor or self._connection.cursor()
        self.delete_table(table.ref, cursor)
        row = [
            *table.ref,
            json.dumps(table.properties),
            _micros(table.created),
            _micros(table.modified),
            table.view,
            _dump(table.view_fields),
            [generation.number for generation in table.generations],
            [_dump(generation.fields) for generation in table.generations],
        ]
        cursor.execute("INSERT INTO ledger.tables VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def delete_table(self, ref: TableRef, cursor: duckdb.DuckDBPyConnection | None = None) -> None:
        (cursor or self._connection.cursor()).execute(
            "DELETE FROM ledger.tables WHERE project = ? AND dataset = ? AND name = ?", list(ref)
        )

    def record(self, cursor: duckdb.DuckDBPyConnection, change: Change, commit: Commit) -> None:
        """Write a commit inside its own transaction, with the table where its list of generations grows."""
        generation, table = change.generation, change.table
        row = [generation.number, commit.number, _micros(commit.at), commit.added, commit.removed]
        cursor.execute("INSERT INTO ledger.commits VALUES (?, ?, ?, ?, ?)", row)
        if generation not in table.generations:
            table.generations.append(generation)
            self.save_table(table, cursor)


def _micros(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def _time(micros: int) -> datetime:
    return EPOCH + micros * MICROSECOND


def _dump(fields: tuple[Field, ...]) -> str:
    return json.dumps([asdict(field) for field in fields])


def _fields(text: str) -> tuple[Field, ...]:
    return tuple(Field(**{**entry, "policy_tags": tuple(entry.get("policy_tags", ()))}) for entry in json.loads(text))
