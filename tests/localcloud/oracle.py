"""The same query on both engines: on the local BigQuery over a table, on Google's reference evaluator over literals."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from localcloud.bigquery.client import Local
from localcloud.bigquery.googlesql import engine, types

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Row = Mapping[str, Any]


def text(value: str) -> str:
    """A STRING literal with every sign escaped that could be read otherwise."""
    signs = (sign if sign.isalnum() and sign.isascii() else f"\\U{ord(sign):08x}" for sign in value)
    return f"'{''.join(signs)}'"


LITERALS: Final[Mapping[str, Callable[[Any], str]]] = {
    "STRING": text,
    "INT64": str,
    "BOOL": lambda value: str(value).upper(),
    "NUMERIC": lambda value: f"NUMERIC '{value:f}'",
    "BIGNUMERIC": lambda value: f"BIGNUMERIC '{value:f}'",
    "FLOAT64": lambda value: f"CAST('{value!r}' AS FLOAT64)",
    "DATE": lambda value: f"DATE '{value.isoformat()}'",
    "TIMESTAMP": lambda value: f"TIMESTAMP '{value.isoformat(' ')}'",
    "JSON": lambda value: f"PARSE_JSON({text(json.dumps(value))})",
    "BYTES": lambda value: "b'" + "".join(f"\\x{one:02x}" for one in value) + "'",
}


def literals(columns: Mapping[str, str], rows: Sequence[Row]) -> str:
    """A query of the rows, written out; the first names and types the columns and finds nothing."""

    def one(row: Row) -> str:
        values = []
        for name, kind in columns.items():
            value = row.get(name)
            written = "NULL" if value is None else LITERALS[kind](value)
            values.append(f"CAST({written} AS {kind}) AS {name}" if value is None else f"{written} AS {name}")
        return f"SELECT {', '.join(values)}"

    return " UNION ALL ".join([f"({one({})} LIMIT 0)", *map(one, rows)])


def locally(local: Local, columns: Mapping[str, str], rows: Sequence[Row], query: str) -> list[tuple[Any, ...]]:
    """What the local BigQuery answers; `query` reads a table called `{rows}`."""
    local.rows(f"CREATE OR REPLACE TABLE d.given AS {literals(columns, rows)}")
    return local.rows(query.format(rows="d.given"))


def by_google(columns: Mapping[str, str], rows: Sequence[Row], query: str) -> list[tuple[Any, ...]]:
    """What the reference evaluator answers."""
    from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service

    request = service.EvaluateQueryRequest(
        sql=f"WITH given AS ({literals(columns, rows)}) {query.format(rows='given')}",
        options=types.analyzer([]),
        simple_catalog=types.catalog({}, {}),
    )
    answer = service.EvaluateQueryResponse.FromString(engine.engine().call("EvaluateQuery", request))
    kinds = [column.type.type_kind for column in answer.prepared.columns]
    return [
        tuple(_value(cell, kind) for cell, kind in zip(row.cell, kinds, strict=True))
        for row in answer.content.table_data.row
    ]


def _value(cell: Any, kind: int) -> Any:
    from zetasql.wasi._pb2.zetasql.public import type_pb2

    which = cell.WhichOneof("value")
    if which is None:
        return None
    value = getattr(cell, which)
    if which == "timestamp_value":
        return EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
    if which == "date_value":
        return date(1970, 1, 1) + timedelta(days=value)
    if which == "numeric_value":
        return Decimal(int.from_bytes(value, "little", signed=True)).scaleb(-9)
    if which == "bignumeric_value":
        return Decimal(int.from_bytes(value, "little", signed=True)).scaleb(-38)
    if which == "json_value":
        return json.loads(value)
    assert kind != type_pb2.TYPE_STRUCT
    return value


def comparable(rows: Sequence[tuple[Any, ...]]) -> list[str]:
    """Rows in an order of their own, decimals without trailing zeros, so that both engines' can be compared."""

    def plain(value: Any) -> Any:
        return value.normalize() if isinstance(value, Decimal) and value else 0 if value == 0 else value

    return sorted(repr(tuple(plain(value) for value in row)) for row in rows)
