"""INFORMATION_SCHEMA and __TABLES__, computed from the catalog when asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from .catalog import Table, TableRef
from .clock import millis
from .errors import not_found, not_served
from .sizes import logical_bytes
from .warehouse import Warehouse

PREFIX = "INFORMATION_SCHEMA."
TIME = pa.timestamp("us", tz="UTC")
NAMES = [("table_catalog", pa.string()), ("table_schema", pa.string()), ("table_name", pa.string())]


def names(ref: TableRef) -> bool:
    return ref.table.upper().startswith(PREFIX) or ref.table == "__TABLES__"


def view(warehouse: Warehouse, ref: TableRef) -> pa.Table:
    """The rows of one such view, over one dataset, or over a project for `region-x`. Raises 501 for one not served."""
    name = ref.table.upper().removeprefix(PREFIX)
    if name not in VIEWS:
        raise not_served(f"INFORMATION_SCHEMA.{name}")
    columns, rows = VIEWS[name]
    schema = pa.schema(columns)
    entries = [dict(zip(schema.names, row, strict=True)) for row in rows(warehouse, ref)]
    return pa.Table.from_pylist(entries, schema)


def _tables(warehouse: Warehouse, ref: TableRef) -> Iterator[Table]:
    wide = ref.dataset.lower().startswith("region-")
    if not wide and ref.parent not in warehouse.datasets:
        raise not_found(f"Dataset {ref.parent}")
    for dataset in list(warehouse.datasets.values()):
        if dataset.ref.project == ref.project and (wide or dataset.ref == ref.parent):
            yield from list(dataset.tables.values())


def _rows(table: Table) -> int:
    return table.snapshot().count if table.view is None else 0


def _bytes(warehouse: Warehouse, table: Table) -> int:
    if table.view is not None:
        return 0
    cursor = warehouse.cursor()
    try:
        return logical_bytes(table.snapshot(), None, cursor)
    finally:
        cursor.close()


def _schemata(warehouse: Warehouse, ref: TableRef) -> Iterator[tuple[Any, ...]]:
    for dataset in list(warehouse.datasets.values()):
        if dataset.ref.project == ref.project:
            location = dataset.properties.get("location", "US")
            yield *dataset.ref, dataset.created, dataset.modified, location


def _list(warehouse: Warehouse, ref: TableRef) -> Iterator[tuple[Any, ...]]:
    for table in _tables(warehouse, ref):
        yield *table.ref, "BASE TABLE" if table.view is None else "VIEW", table.created


def _columns(warehouse: Warehouse, ref: TableRef) -> Iterator[tuple[Any, ...]]:
    for table in _tables(warehouse, ref):
        partitioning = (table.properties.get("timePartitioning") or {}).get("field")
        clustering = (table.properties.get("clustering") or {}).get("fields", [])
        for position, field in enumerate(table.fields, 1):
            yield (
                *table.ref,
                field.name,
                position,
                "NO" if field.mode == "REQUIRED" else "YES",
                field.sql_type,
                field.default,
                "YES" if field.name == partitioning else "NO",
                clustering.index(field.name) + 1 if field.name in clustering else None,
            )


def _paths(warehouse: Warehouse, ref: TableRef) -> Iterator[tuple[Any, ...]]:
    for table in _tables(warehouse, ref):
        for field in table.fields:
            yield *table.ref, field.name, field.name, field.sql_type, field.description or None, "NULL", None


def _options(warehouse: Warehouse, ref: TableRef) -> Iterator[tuple[Any, ...]]:
    """Options that are set, their values as SQL literals: a JSON string reads as one."""
    for table in _tables(warehouse, ref):
        for name, key in (("description", "description"), ("friendly_name", "friendlyName")):
            if text := table.properties.get(key):
                yield *table.ref, name, "STRING", json.dumps(text, ensure_ascii=False)
        if labels := table.properties.get("labels"):
            pairs = ", ".join(f"STRUCT({json.dumps(name)}, {json.dumps(value)})" for name, value in labels.items())
            yield *table.ref, "labels", "ARRAY<STRUCT<STRING, STRING>>", f"[{pairs}]"


def _none(warehouse: Warehouse, ref: TableRef) -> Iterator[tuple[Any, ...]]:
    """Of a kind that does not exist here; the dataset must."""
    list(_tables(warehouse, ref))
    return iter(())


def _storage(warehouse: Warehouse, ref: TableRef) -> Iterator[tuple[Any, ...]]:
    for table in _tables(warehouse, ref):
        yield *table.ref, table.created, _rows(table), table.modified


def _legacy(warehouse: Warehouse, ref: TableRef) -> Iterator[tuple[Any, ...]]:
    for table in _tables(warehouse, ref):
        times = int(millis(table.created)), int(millis(table.modified))
        yield *table.ref, *times, _rows(table), _bytes(warehouse, table), 1 if table.view is None else 2


Rows = Callable[[Warehouse, TableRef], Iterator[tuple[Any, ...]]]
VIEWS: dict[str, tuple[list[tuple[str, pa.DataType]], Rows]] = {
    "SCHEMATA": (
        [
            ("catalog_name", pa.string()),
            ("schema_name", pa.string()),
            ("creation_time", TIME),
            ("last_modified_time", TIME),
            ("location", pa.string()),
        ],
        _schemata,
    ),
    "TABLES": ([*NAMES, ("table_type", pa.string()), ("creation_time", TIME)], _list),
    "COLUMNS": (
        [
            *NAMES,
            ("column_name", pa.string()),
            ("ordinal_position", pa.int64()),
            ("is_nullable", pa.string()),
            ("data_type", pa.string()),
            ("column_default", pa.string()),
            ("is_partitioning_column", pa.string()),
            ("clustering_ordinal_position", pa.int64()),
        ],
        _columns,
    ),
    "COLUMN_FIELD_PATHS": (
        [
            *NAMES,
            ("column_name", pa.string()),
            ("field_path", pa.string()),
            ("data_type", pa.string()),
            ("description", pa.string()),
            ("collation_name", pa.string()),
            ("rounding_mode", pa.string()),
        ],
        _paths,
    ),
    "TABLE_OPTIONS": (
        [*NAMES, ("option_name", pa.string()), ("option_type", pa.string()), ("option_value", pa.string())],
        _options,
    ),
    "MATERIALIZED_VIEWS": ([*NAMES, ("last_refresh_time", TIME), ("refresh_watermark", TIME)], _none),
    "TABLE_STORAGE": (
        [
            ("project_id", pa.string()),
            *NAMES[1:],
            ("creation_time", TIME),
            ("total_rows", pa.int64()),
            ("storage_last_modified_time", TIME),
        ],
        _storage,
    ),
    "__TABLES__": (
        [
            ("project_id", pa.string()),
            ("dataset_id", pa.string()),
            ("table_id", pa.string()),
            ("creation_time", pa.int64()),
            ("last_modified_time", pa.int64()),
            ("row_count", pa.int64()),
            ("size_bytes", pa.int64()),
            ("type", pa.int64()),
        ],
        _legacy,
    ),
}
