"""What is in the marts, and what should be: rows by key, and the watermark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from localcloud.warehouses import DuckDBFile, Warehouse

Key = tuple[str, ...]
Mart = dict[Key, dict[str, Any]]
KEYS: Final = {
    "identity": ("customer_id", "contact_id"),
    "payments": ("payment_id",),
    "transactions": ("transaction_id",),
}


LEFT: Final = {"in_program": False}
"""What counts of a row that is not shared any more."""


@dataclass(frozen=True, slots=True)
class State:
    """The marts and the watermark after a run: of each key the latest row, `LEFT` where it is not shared any more."""

    marts: dict[str, Mart]
    watermark: dict[str, datetime]


def state(warehouse: Warehouse) -> State:
    """What is there now."""
    marks = warehouse.rows("SELECT dataset, complete_until FROM amazon_pspp.watermark")
    marts = {name: latest(name, log(warehouse, name)) for name in KEYS}
    return State(marts, {mark["dataset"]: mark["complete_until"] for mark in marks.to_dicts()})


def settled(warehouse: Warehouse) -> dict[str, datetime]:
    """Until when what was read is settled."""
    marks = warehouse.rows("SELECT dataset, coalesce(settled_until, complete_until) AS mark FROM amazon_pspp.watermark")
    return {row["dataset"]: row["mark"] for row in marks.to_dicts()}


def log(warehouse: Warehouse, name: str) -> list[dict[str, Any]]:
    """Every row of a mart, in the order of time. Raises AssertionError where an hour has a key twice."""
    rows = warehouse.rows(f"SELECT * FROM amazon_pspp.{name} ORDER BY updated_at").to_dicts()
    hours = {(row["updated_at"].replace(minute=0, second=0, microsecond=0), *key(name, row)) for row in rows}
    assert len(hours) == len(rows), f"{name} has a key twice in an hour"
    return rows


def latest(name: str, rows: list[dict[str, Any]]) -> Mart:
    """Of each key the last row, as a reader of every hour has it."""
    return {key(name, row): row if row["in_program"] else LEFT for row in rows}


def key(name: str, row: dict[str, Any]) -> Key:
    """The values of a row's key."""
    return tuple(row[column] for column in KEYS[name])


def answer(raw: DuckDBFile) -> dict[str, Mart]:
    """What is to be shared now by the raw rows: the shared columns of the rows of customers in the program."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{raw.path}' AS raw (READ_ONLY); USE raw")
        connection.execute(Path(__file__).with_name("answer.sql").read_text(encoding="utf-8"))
        return {
            name: _by_key(name, DuckDBFile.dated(connection.sql(f"SELECT * FROM temp.{name}")).to_dicts())
            for name in KEYS
        }


def expected(before: dict[str, Mart], now: dict[str, Mart], change_time: datetime) -> dict[str, Mart]:
    """The marts after a run: new and changed rows at `change_time`, gone ones `LEFT`, others as before."""
    marts: dict[str, Mart] = {}
    for name, rows in now.items():
        old = before.get(name, {})
        marts[name] = dict.fromkeys(old, LEFT)
        for key, row in rows.items():
            known = old.get(key)
            same = known is not None and known["in_program"] and row == shared(known)
            stamp = known["updated_at"] if known is not None and same else change_time
            marts[name][key] = row | {"in_program": True, "updated_at": stamp}
    return marts


def shared(row: dict[str, Any]) -> dict[str, Any]:
    """A mart's row without the columns that say whether and when it is shared."""
    return {name: value for name, value in row.items() if name not in {"in_program", "updated_at"}}


def _by_key(name: str, rows: list[dict[str, Any]]) -> Mart:
    found = {key(name, row): row for row in rows}
    assert len(found) == len(rows), f"{name} has a key twice"
    return found
