"""A contract of the tests' own: other names and every type, so that nothing is proven for the shipped three alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any, Final

import polars as pl
import pyarrow as pa

from pipeline.contracts import reader
from pipeline.contracts.dataset import Column, Dataset
from pipeline.window import Window

START: Final = datetime(2026, 11, 23, 13, tzinfo=UTC)
WINDOW: Final = Window.hour(START)
EXACT: Final = Context(prec=80)
"""Python's own context rounds to 28 digits."""

CONTRACT: Final = """
apiVersion: v3.2.0
kind: DataContract
id: bookings
name: bookings
version: 2.3.4
status: active
schema:
  - name: bookings
    physicalName: ledger_v2
    customProperties:
      - {property: changeColumn, value: touched}
      - {property: filter, value: "NOT is_internal OR is_internal IS NULL"}
      - {property: watermark, value: watermark}
      - {property: controlTotals, value: ["sum(amount)", "min(line)", "max(touched)"]}
      - {property: fileName, value: "BK-{dataset}.{start}.r{revision}.p{part}-{parts}.txt"}
      - {property: emptyWindow, value: file}
    properties:
      - {name: booking, physicalName: booking_no, physicalType: STRING, required: true, primaryKey: true,
         primaryKeyPosition: 1}
      - {name: line, physicalType: INT64, required: true, primaryKey: true, primaryKeyPosition: 2}
      - {name: text, physicalName: free_text, physicalType: STRING}
      - {name: amount, physicalType: "NUMERIC(38, 9)"}
      - {name: rate, physicalType: "BIGNUMERIC(38, 18)"}
      - {name: booked, physicalType: DATE}
      - {name: cleared, physicalType: BOOL}
      - {name: details, physicalType: JSON}
      - {name: touched, physicalType: TIMESTAMP, required: true}
      - {name: is_internal, physicalType: BOOL, customProperties: [{property: shared, value: false}]}
"""


def sample_contract(text: str = CONTRACT) -> Dataset:
    """The contract as the pipeline reads it."""
    return reader.read(text, where="bookings.yaml")


def dataset(*columns: Column, **others: Any) -> Dataset:
    """A contract with these columns, a key `id` and a change column `at`."""
    given: dict[str, Any] = {
        "name": "small",
        "version": "1.0.0",
        "table": "small",
        "key": ("id",),
        "change": "at",
        "filter": None,
        "watermark": None,
        "totals": (),
        "file_name": "small_{start}_{revision}_{part}.csv",
        "empty_file": False,
    }
    whole = (Column("id", "id", "STRING", required=True), *columns, Column("at", "at", "TIMESTAMP", required=True))
    return Dataset(**{**given, "columns": whole, **others})


ARROW: Final[Mapping[str, pa.DataType]] = {
    "STRING": pa.string(),
    "JSON": pa.string(),
    "INT64": pa.int64(),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
}
"""Types in which the Storage Read API hands out columns."""


def batch(contract: Dataset, rows: Iterable[Mapping[str, object]]) -> pa.RecordBatch:
    """Rows as the warehouse hands them out; `id` and `at` are filled in, whatever else is absent is null."""
    whole = [{"id": f"k{number}", "at": START, **row} for number, row in enumerate(rows)]
    return pa.RecordBatch.from_arrays(
        [pa.array([row.get(column.name) for row in whole], ARROW[column.type]) for column in contract.columns],
        [column.name for column in contract.columns],
    )


def in_file(column: Column, value: object) -> str | None:
    """A value as a file must hold it, worked out without the code under test."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value.quantize(Decimal(1).scaleb(-(column.scale or 0)), context=EXACT), "f")
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else str(value)


def table(window: Window, count: int, *, internal: int = 0) -> pl.DataFrame:
    """Rows for the warehouse under its column names; the last `internal` of them must never leave."""
    rows = [
        {
            "booking_no": f"000{number // 2}",
            "line": number,
            "free_text": (None, "", 'a "b", c', "x\r\ny", "\r", "💶 𝔘")[number % 6],
            "amount": None if number % 5 == 0 else Decimal(f"{number * 10**20 + 1}.{number:09d}"),
            "rate": Decimal(number) + Decimal("1e-18"),
            "booked": window.start.date(),
            "cleared": (None, True, False)[number % 3],
            "details": None if number % 4 == 0 else f'{{"n":{number}}}',
            "touched": window.start,
            "is_internal": number >= count - internal,
        }
        for number in range(count)
    ]
    decimals = {"amount": pl.Decimal(38, 9), "rate": pl.Decimal(38, 18)}
    return pl.DataFrame(rows, schema_overrides={**decimals, "touched": pl.Datetime("us", "UTC")})


def rows_in_file(frame: pl.DataFrame) -> list[tuple[str | None, ...]]:
    """The rows of `table` as a file of bookings must hold them, those that are internal left out."""
    return [
        tuple(in_file(column, row[column.source]) for column in sample_contract().columns)
        for row in frame.iter_rows(named=True)
        if not row["is_internal"]
    ]
