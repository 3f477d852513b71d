"""Columns: what BigQuery calls a type, what DuckDB stores, and what Arrow carries.

BIGNUMERIC is DECIMAL(38, 18) inside DuckDB, whose decimals end at 38 digits: 20 digits before the point and 18
after it. A value beyond that is refused when it is written, never rounded or cut. Arrow shows decimal256(76, 38)
as BigQuery does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .errors import invalid, invalid_query, not_served


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar type: name in the REST API, type in DuckDB, type in Arrow, logical bytes a value (None: by length)."""

    rest: str
    duckdb: str
    arrow: pa.DataType
    width: int | None


# Logical sizes: https://cloud.google.com/bigquery/pricing#data
SCALARS = {
    "STRING": Scalar("STRING", "VARCHAR", pa.string(), None),
    "BYTES": Scalar("BYTES", "BLOB", pa.binary(), None),
    "JSON": Scalar("JSON", "JSON", pa.string(), None),
    "INT64": Scalar("INTEGER", "BIGINT", pa.int64(), 8),
    "FLOAT64": Scalar("FLOAT", "DOUBLE", pa.float64(), 8),
    "BOOL": Scalar("BOOLEAN", "BOOLEAN", pa.bool_(), 1),
    "NUMERIC": Scalar("NUMERIC", "DECIMAL(38,9)", pa.decimal128(38, 9), 16),
    "BIGNUMERIC": Scalar("BIGNUMERIC", "DECIMAL(38,18)", pa.decimal256(76, 38), 32),
    "TIMESTAMP": Scalar("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", pa.timestamp("us", tz="UTC"), 8),
    "DATETIME": Scalar("DATETIME", "TIMESTAMP", pa.timestamp("us"), 8),
    "DATE": Scalar("DATE", "DATE", pa.date32(), 8),
    "TIME": Scalar("TIME", "TIME", pa.time64("us"), 8),
}
ALIASES = {
    "INTEGER": "INT64",
    "INT": "INT64",
    "BIGINT": "INT64",
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}
FROM_DUCKDB = {
    "VARCHAR": "STRING",
    "BLOB": "BYTES",
    "JSON": "JSON",
    "BOOLEAN": "BOOL",
    "DOUBLE": "FLOAT64",
    "FLOAT": "FLOAT64",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "TIMESTAMP": "DATETIME",
    "DATE": "DATE",
    "TIME": "TIME",
    "UUID": "STRING",
    '"NULL"': "INT64",
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"), "INT64"
    ),
}
FROM_ARROW = {"string": "STRING", "int64": "INT64", "timestamp[us, tz=UTC]": "TIMESTAMP"}
NAME = re.compile(r"[^\W\d]\w{0,299}")
LARGEST = {"NUMERIC": (29, 9), "BIGNUMERIC": (38, 38)}
"""Digits before and after the point."""
POLICY_TAG = re.compile(r"projects/[^/]+/locations/[^/]+/taxonomies/[0-9]+/policyTags/[0-9]+")
MAX_DIGITS, NUMERIC_SCALE, BIGNUMERIC_SCALE = 38, 9, 18


@dataclass(frozen=True, slots=True)
class Field:
    """A column. `type` is the GoogleSQL name, `mode` NULLABLE, REQUIRED or REPEATED, `default` an SQL expression."""

    name: str
    type: str
    mode: str = "NULLABLE"
    description: str = ""
    precision: int | None = None
    scale: int | None = None
    max_length: int | None = None
    default: str | None = None
    policy_tags: tuple[str, ...] = ()

    @property
    def scalar(self) -> Scalar:
        return SCALARS[self.type]

    @property
    def duckdb(self) -> str:
        return self.scalar.duckdb + ("[]" if self.mode == "REPEATED" else "")

    @property
    def arrow(self) -> pa.Field:
        kind = self.scalar.arrow
        if self.mode == "REPEATED":
            kind = pa.list_(pa.field("item", kind))
        metadata = {"ARROW:extension:name": f"google:sqlType:{self.type.lower()}"} if self.type in {"JSON"} else None
        return pa.field(self.name, kind, nullable=self.mode != "REQUIRED", metadata=metadata)

    @property
    def sql_type(self) -> str:
        """The type as GoogleSQL writes it: `ARRAY<STRING(10)>`."""
        limits = [str(n) for n in (self.max_length, self.precision, self.scale) if n is not None]
        kind = self.type + (f"({', '.join(limits)})" if limits else "")
        return f"ARRAY<{kind}>" if self.mode == "REPEATED" else kind

    def api(self) -> dict[str, Any]:
        """The TableFieldSchema of the REST API."""
        out: dict[str, Any] = {"name": self.name, "type": self.scalar.rest, "mode": self.mode}
        if self.description:
            out["description"] = self.description
        for key, number in (("precision", self.precision), ("scale", self.scale), ("maxLength", self.max_length)):
            if number is not None:
                out[key] = str(number)
        if self.default is not None:
            out["defaultValueExpression"] = self.default
        if self.policy_tags:
            out["policyTags"] = {"names": list(self.policy_tags)}
        return out


def make(name: str, kind: str, **more: Any) -> Field:
    """A checked column. Raises `invalid` for a bad name or type, 501 for one that is not served here."""
    kind = ALIASES.get(kind.upper(), kind.upper())
    if not NAME.fullmatch(name):
        raise invalid(f"Invalid field name {name!r}. Fields must contain only letters, numbers and underscores.")
    if kind in {"RECORD", "STRUCT", "GEOGRAPHY", "INTERVAL", "RANGE"}:
        raise not_served(f"columns of type {kind}")
    if kind not in SCALARS:
        raise invalid(f"Invalid value for type: {kind} is not a valid value")
    field = Field(name, kind, **more)
    _limits(field)
    whole, scale = (field.precision or 0) - (field.scale or 0), field.scale or 0
    if kind == "BIGNUMERIC" and (whole > MAX_DIGITS - BIGNUMERIC_SCALE or scale > BIGNUMERIC_SCALE):
        raise not_served(f"{field.sql_type}: BIGNUMERIC holds 20 digits before the point and 18 after it here")
    return field


def _limits(field: Field) -> None:
    """https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#parameterized_data_types"""
    if field.max_length is not None and (field.type not in {"STRING", "BYTES"} or field.max_length < 1):
        raise invalid(f"{field.type} length must be greater than 0: column {field.name}")
    if field.precision is None and field.scale is None:
        return
    if field.type not in LARGEST or field.precision is None:
        raise invalid(f"{field.type} does not support precision and scale so: column {field.name}")
    whole, decimals = LARGEST[field.type]
    scale = field.scale or 0
    if not 0 <= scale <= decimals or not max(1, scale) <= field.precision <= scale + whole:
        raise invalid(
            f"In {field.sql_type}, the scale must be between 0 and {decimals} and the precision between "
            f"{max(1, scale)} and {scale + whole}: column {field.name}"
        )


def from_api(fields: list[dict[str, Any]]) -> tuple[Field, ...]:
    """Columns from the REST API's TableSchema.fields."""

    def number(entry: dict[str, Any], key: str) -> int | None:
        return int(entry[key]) if entry.get(key) is not None else None

    return tuple(
        make(
            entry["name"],
            entry["type"],
            mode=(entry.get("mode") or "NULLABLE").upper(),
            description=entry.get("description") or "",
            precision=number(entry, "precision"),
            scale=number(entry, "scale"),
            max_length=number(entry, "maxLength"),
            default=entry.get("defaultValueExpression"),
            policy_tags=_policy_tags(entry),
        )
        for entry in fields
    )


def _policy_tags(entry: dict[str, Any]) -> tuple[str, ...]:
    """https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema: one at most."""
    names = tuple((entry.get("policyTags") or {}).get("names") or ())
    if len(names) > 1 or not all(POLICY_TAG.fullmatch(name) for name in names):
        raise invalid(f"Invalid value for policyTags of {entry['name']}: {names}")
    return names


def infer(name: str, duckdb: str, *, bignumeric: bool) -> Field:
    """The column that a query's DuckDB type stands for.

    Every stored NUMERIC has 38 digits, so a narrower decimal is a FLOAT64 literal in GoogleSQL. More than nine
    decimals are BIGNUMERIC where the query reads or names one (`bignumeric`), else a product to be rounded to NUMERIC.
    """
    mode = "NULLABLE"
    if duckdb.endswith("[]"):
        duckdb, mode = duckdb[:-2], "REPEATED"
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", duckdb)
    if decimal:
        width, scale = int(decimal[1]), int(decimal[2])
        if width < MAX_DIGITS:
            return Field(name, "FLOAT64", mode)
        return Field(name, "BIGNUMERIC" if scale > NUMERIC_SCALE and bignumeric else "NUMERIC", mode)
    if duckdb not in FROM_DUCKDB:
        raise not_served(f"results of type {duckdb} (column {name})")
    return Field(name, FROM_DUCKDB[duckdb], mode)


def conform(batch: pa.RecordBatch, fields: tuple[Field, ...]) -> pa.RecordBatch:
    """The batch with exactly the Arrow types that BigQuery would send; free where they are right already."""
    schema = pa.schema([field.arrow for field in fields])
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    columns = [_cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if column.type == kind:
        return column
    if pa.types.is_decimal128(kind) and pa.types.is_decimal(column.type) and column.type.scale > kind.scale:
        column = pc.round(column, ndigits=kind.scale, round_mode="half_towards_infinity")
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:  # a sum or a negation beyond 64 bits, which DuckDB widens
        raise invalid_query(f"{'int64 overflow' if pa.types.is_int64(kind) else error}") from None
