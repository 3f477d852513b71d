"""Rows as the REST API writes them: `{"f": [{"v": "1"}, ...]}`, every scalar a string."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from .clock import EPOCH
from .fields import Field

MICROSECOND = timedelta(microseconds=1)


def rows(batch: pa.RecordBatch, fields: tuple[Field, ...], timestamp: str) -> list[dict[str, Any]]:
    """A batch as JSON rows. `timestamp` is "int64" (microseconds), "iso8601" or "float" (seconds)."""
    columns = [_column(array, field, timestamp) for array, field in zip(batch.columns, fields, strict=True)]
    return [{"f": [{"v": value} for value in row]} for row in zip(*columns, strict=True)]


def _column(array: pa.Array, field: Field, timestamp: str) -> list[Any]:
    write: Callable[[Any], Any] = TIMESTAMPS[timestamp] if field.type == "TIMESTAMP" else WRITERS.get(field.type, str)
    values = array.to_pylist()
    if field.mode == "REPEATED":
        return [[{"v": None if one is None else write(one)} for one in value or ()] for value in values]
    return [None if value is None else write(value) for value in values]


def _micros(value: datetime) -> int:
    return (value - EPOCH) // MICROSECOND


def _float_seconds(value: datetime) -> str:
    return repr(_micros(value) / 1_000_000)


def _decimal(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _float(value: float) -> str:
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _iso(value: date | time) -> str:
    return value.isoformat()


TIMESTAMPS: dict[str, Callable[[datetime], str]] = {
    "int64": lambda value: str(_micros(value)),
    "iso8601": lambda value: value.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    "float": _float_seconds,
}
WRITERS: dict[str, Callable[[Any], str]] = {
    "BOOL": lambda value: "true" if value else "false",
    "FLOAT64": _float,
    "NUMERIC": _decimal,
    "BIGNUMERIC": _decimal,
    "BYTES": _bytes,
    "DATE": _iso,
    "DATETIME": _iso,
    "TIME": _iso,
}
