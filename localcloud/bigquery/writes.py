"""Rows on their way into tables: load jobs, streaming inserts, and queries with a destination."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import duckdb

from . import load, results
from .catalog import Table, TableRef, table_ref
from .changes import Change
from .errors import already_exists, from_duckdb, invalid, not_found
from .fields import Field, from_api
from .jobs import Job
from .warehouse import Warehouse


class Writer:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._scratch = Path(warehouse.scratch.name)

    def run_load(self, job: Job, path: Path) -> None:
        """The work of a load job; the uploaded file is gone afterwards."""
        config = job.configuration["load"]
        try:
            ref, size = table_ref(config["destinationTable"]), path.stat().st_size
            cursor = self._warehouse.cursor()
            try:
                rows = self._load(ref, config, path, cursor)
            except duckdb.Error as error:
                raise load.rejected(error) from error
            finally:
                cursor.close()
            job.statistics = {
                "load": {
                    "inputFiles": "1",
                    "inputFileBytes": str(size),
                    "outputRows": str(rows),
                    "outputBytes": str(size),
                    "badRecords": "0",
                }
            }
        finally:
            path.unlink(missing_ok=True)

    def append_json(self, ref: TableRef, rows: list[dict[str, Any]], *, ignore_unknown: bool) -> None:
        """Add rows given as JSON objects, all or none."""
        with NamedTemporaryFile("w", dir=self._scratch, suffix=".json", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()
            with self._warehouse.change(ref) as change:
                fields = change.generation.fields
                source = load.json_source(Path(file.name), fields, change.cursor, ignore_unknown=ignore_unknown)
                change.append(source.relation, source.columns)

    def store(self, ref: TableRef, config: dict[str, Any], rows: results.Rows) -> None:
        """Write a query's result to the table that the job names."""
        columns = [field.name for field in rows.fields]
        with self._warehouse.turn(ref), self._destination(ref, config, rows.fields, "WRITE_EMPTY") as change:
            try:
                change.append(rows.relation(change.cursor), columns)
            except duckdb.Error as error:
                raise from_duckdb(error) from error

    def _load(self, ref: TableRef, config: dict[str, Any], path: Path, cursor: duckdb.DuckDBPyConnection) -> int:
        given = from_api((config.get("schema") or {}).get("fields") or [])
        with self._warehouse.turn(ref):
            table = self._warehouse.find(ref)
            if table is None or config.get("writeDisposition") == "WRITE_TRUNCATE":
                described = config.get("sourceFormat") == "PARQUET" or config.get("autodetect")
                fields = given or (load.detect(path, config, cursor) if described or table is None else table.fields)
            else:
                self._widen(table, given, config)
                fields = table.fields
            with self._destination(ref, config, fields, "WRITE_APPEND") as change:
                source = load.source(path, config, change.generation.fields, change.cursor)
                return change.append(source.relation, source.columns)

    def _widen(self, table: Table, given: tuple[Field, ...], config: dict[str, Any]) -> None:
        """Add the columns that a load brings where it may, else refuse them."""
        known = {field.name.lower() for field in table.fields}
        new = tuple(field for field in given if field.name.lower() not in known)
        if new and "ALLOW_FIELD_ADDITION" not in (config.get("schemaUpdateOptions") or []):
            names = ", ".join(field.name for field in new)
            raise invalid(f"Provided Schema does not match Table {table.ref}. Cannot add fields (field: {names})")
        if new:
            self._warehouse.add_columns(table, new)

    def _destination(
        self, ref: TableRef, config: dict[str, Any], fields: tuple[Field, ...], default: str
    ) -> AbstractContextManager[Change]:
        """The change that the write and create dispositions ask for."""
        table, write = self._warehouse.find(ref), config.get("writeDisposition") or default
        kept = ("timePartitioning", "rangePartitioning", "clustering")
        properties = (table.properties if table else {}) | {key: config[key] for key in kept if key in config}
        if table is None:
            if config.get("createDisposition") == "CREATE_NEVER":
                raise not_found(f"Table {ref}")
            return self._warehouse.rebuild(ref, fields, properties)
        if write == "WRITE_EMPTY" and table.snapshot().count:
            raise already_exists(f"Table {ref}")
        if write == "WRITE_TRUNCATE":
            return self._warehouse.rebuild(ref, fields, properties)
        return self._warehouse.change(ref)
