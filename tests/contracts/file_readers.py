"""Two strict readers of a file, by column name and by position: our own checks, and DuckDB with the contract as DDL.

A reader gives the values that it takes for each column of its contract, or None where it refuses the file.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import duckdb
import pyarrow as pa
from pyarrow import csv

from pipeline.contracts.dataset import Column, Dataset
from pipeline.deliver.rows import Checks
from pipeline.window import Window
from tests.sample_contract import ARROW

How = Literal["name", "position"]
Values = dict[str, list[object]]
"""Values by the warehouse's column, which is what a column is, whatever a file calls it."""


def texts(content: bytes) -> pa.Table:
    """The fields of a file as text, empty ones as null; its columns by number."""
    types = csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])
    header = content.split(b"\r\n", 1)[0].decode().split(",")
    names = [str(number) for number in range(len(header))]
    types.column_types = dict.fromkeys(names, pa.string())
    parse = csv.ParseOptions(newlines_in_values=True)
    table = csv.read_csv(io.BytesIO(content), csv.ReadOptions(column_names=names, skip_rows=1), parse, types)
    return table.rename_columns(names)


def header(content: bytes) -> list[str]:
    """The names in the first line."""
    return content.split(b"\r\n", 1)[0].decode().split(",")


def placed(content: bytes, contract: Dataset, how: How) -> dict[str, list[str | None]] | None:
    """The fields that a reader takes for each column of its contract; None where it refuses the header."""
    table, names = texts(content), header(content)
    if how == "position":
        if len(names) != len(contract.columns):
            return None
        return {column.name: table[str(at)].to_pylist() for at, column in enumerate(contract.columns)}
    empty: list[str | None] = [None] * table.num_rows
    found = {
        column.name: table[str(names.index(column.name))].to_pylist() if column.name in names else list(empty)
        for column in contract.columns
    }
    required = {column.name for column in contract.columns if column.required}
    return found if required <= set(names) else None


PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "STRING": str,
    "JSON": lambda text: json.dumps(json.loads(text)),
    "INT64": lambda text: int(_number(text)),
    "NUMERIC": lambda text: Decimal(_number(text)),
    "BIGNUMERIC": lambda text: Decimal(_number(text)),
    "BOOL": lambda text: {"true": True, "false": False}[text],
    "DATE": date.fromisoformat,
    "TIMESTAMP": lambda text: datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
}
"""What a field means to a column of the type. Raises ValueError, KeyError or ArithmeticError where it is not of it."""


def _number(text: str) -> str:
    """The text of a number, where no other text has its value but for zeros at the end: 007 was no number."""
    if not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text):
        raise ValueError(text)
    return text


def meaning(column: Column, text: str | None) -> object:
    """The value that a field was meant to have."""
    return None if text is None else PARSERS[column.type](text)


def own_checks(content: bytes, contract: Dataset, how: How, window: Window) -> Values | None:
    """Read by the checks that a delivery passes before it is sealed."""
    fields = placed(content, contract, how)
    if fields is None:
        return None
    try:
        values = {c.name: [meaning(c, text) for text in fields[c.name]] for c in contract.columns}
        arrays = [pa.array(values[column.name], ARROW[column.type]) for column in contract.columns]
    except (ValueError, KeyError, ArithmeticError, pa.ArrowInvalid):
        return None
    checks = Checks(contract, window)
    batch = pa.RecordBatch.from_arrays(arrays, [column.name for column in contract.columns])
    list(checks.checking([batch]))
    return None if checks.findings.violations else {c.source: values[c.name] for c in contract.columns}


DDL: Final = {
    "STRING": "VARCHAR",
    "JSON": "VARCHAR",
    "INT64": "BIGINT",
    "BOOL": "BOOLEAN",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
}


def duckdb_table(content: bytes, contract: Dataset, how: How) -> Values | None:
    """Load into a table of DuckDB that has the contract's types and rules as constraints; COPY goes by position."""
    with duckdb.connect() as database, tempfile.TemporaryDirectory() as directory:
        database.execute("SET TimeZone = 'UTC'")
        file = Path(directory) / "file.csv"
        file.write_bytes(content)
        database.execute(f"CREATE TABLE loaded ({', '.join(map(_ddl, contract.columns))})")
        options = "HEADER, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR '', ALLOW_QUOTED_NULLS false"
        try:
            if how == "position":
                database.execute(f"COPY loaded FROM '{file}' ({options}, AUTO_DETECT false, STRICT_MODE true)")
            else:
                _by_name(database, file, content, contract)
            rows = database.table("loaded").fetchall()
        except duckdb.Error:
            return None
    columns = zip(*rows, strict=True) if rows else ([] for _ in contract.columns)
    return {
        column.source: [_plain(column, value) for value in values]
        for column, values in zip(contract.columns, columns, strict=True)
    }


def _by_name(database: duckdb.DuckDBPyConnection, file: Path, content: bytes, contract: Dataset) -> None:
    names = header(content)
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    source = (
        f"read_csv('{file}', header=true, auto_detect=false, delim=',', quote='\"', escape='\"', nullstr='', "
        f"allow_quoted_nulls=false, strict_mode=true, columns={{{columns}}})"
    )
    known = [column for column in contract.columns if column.name in names]
    if any(column.required for column in contract.columns if column not in known):
        raise duckdb.BinderException("a required column is absent")
    listed = ", ".join(f'"{column.name}"' for column in known)
    database.execute(f"INSERT INTO loaded ({listed}) SELECT {listed} FROM {source}")


def _ddl(column: Column) -> str:
    name = f'"{column.name}"'
    type_ = DDL.get(column.type, f"DECIMAL({column.precision}, {column.scale})")
    checks = []
    if column.type == "JSON":
        checks.append(f"json_valid({name})")
    if column.pattern is not None:
        pattern = column.pattern.replace(r"\d", r"\p{Nd}")  # to the checks' engine a digit is one of any script
        checks.append(f"regexp_matches({name}, '{pattern}')")
    if column.min_length is not None:
        checks.append(f"length({name}) >= {column.min_length}")
    if column.max_length is not None:
        checks.append(f"length({name}) <= {column.max_length}")
    if column.allowed is not None:
        listed = ", ".join(f"'{value}'" for value in column.allowed)
        checks.append(f"{name} IN ({listed})")
    if column.minimum is not None:
        checks.append(f"{name} >= {column.minimum}")
    if column.maximum is not None:
        checks.append(f"{name} <= {column.maximum}")
    constraint = f" CHECK ({' AND '.join(checks)})" if checks else ""
    return f"{name} {type_}{' NOT NULL' if column.required else ''}{constraint}"


def _plain(column: Column, value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return json.dumps(json.loads(str(value))) if column.type == "JSON" and value is not None else value
