"""Load jobs: an uploaded file as a DuckDB relation whose values the table can take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from .catalog import quote
from .errors import BigQueryError, invalid, not_served
from .fields import Field, infer

GZIP_MAGIC = b"\x1f\x8b"
DECIMALS = {"NUMERIC", "BIGNUMERIC"}
# DuckDB reads JSON's numbers as doubles: exact to 15 digits, and to nine decimals below a million.
EXACT_DIGITS, EXACT_BELOW = 15, 1_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """`relation` can be selected from and has `columns` of the table."""

    relation: str
    columns: tuple[str, ...]


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def detect(path: Path, config: dict[str, Any], cursor: duckdb.DuckDBPyConnection) -> tuple[Field, ...]:
    """The columns of a file, for a table that does not exist and was given no schema."""
    kind = config.get("sourceFormat", "CSV")
    if kind == "PARQUET":
        source = f"read_parquet({literal(str(path))})"
    elif not config.get("autodetect"):
        raise invalid("Schema has no fields: give a schema or autodetect")
    elif kind == "NEWLINE_DELIMITED_JSON":
        source = f"read_json({literal(str(path))}, format = 'newline_delimited'{_compression(path)})"
    else:
        source = f"read_csv({literal(str(path))}{_compression(path)})"
    relation = cursor.sql(f"SELECT * FROM {source}")
    widened = [(name, _widened(str(kind))) for name, kind in zip(relation.columns, relation.types, strict=True)]
    return tuple(infer(name, kind, bignumeric=True) for name, kind in widened)


def source(path: Path, config: dict[str, Any], fields: tuple[Field, ...], cursor: duckdb.DuckDBPyConnection) -> Source:
    """The file's rows for a table with these columns. Raises `invalid` for columns that the table has not."""
    kind = config.get("sourceFormat", "CSV")
    if kind == "NEWLINE_DELIMITED_JSON":
        return json_source(path, fields, cursor, ignore_unknown=bool(config.get("ignoreUnknownValues")))
    if kind == "CSV":
        return _csv_source(path, config, fields)
    if kind != "PARQUET":
        raise not_served(f"load jobs of format {kind}")
    relation = f"read_parquet({literal(str(path))})"
    columns = tuple(cursor.sql(f"SELECT * FROM {relation}").columns)
    _known(columns, fields)
    return Source(relation, columns)


def json_source(
    path: Path, fields: tuple[Field, ...], cursor: duckdb.DuckDBPyConnection, *, ignore_unknown: bool = False
) -> Source:
    """Newline-delimited JSON. Everything is read as text; a decimal that lost digits on its way is refused."""
    file, gz = literal(str(path)), _compression(path)
    if not ignore_unknown:
        keys = cursor.execute(
            f"SELECT DISTINCT unnest(json_keys(json)) FROM read_ndjson_objects({file}{gz})"
        ).fetchall()
        _known(tuple(key for (key,) in keys), fields)
    types = {field.name: _json_type(field) for field in fields}
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
    values = ", ".join(f"{_from_json(field)} AS {quote(field.name)}" for field in fields)
    read = f"read_json({file}, format = 'newline_delimited', columns = {{{columns}}}{gz})"
    return Source(f"(SELECT {values} FROM {read})", tuple(types))


def rejected(error: duckdb.Error) -> BigQueryError:
    """A load that DuckDB refused, in the words of a BigQuery load error."""
    return invalid(f"Error while reading data, error message: {str(error).splitlines()[0]}")


def _csv_source(path: Path, config: dict[str, Any], fields: tuple[Field, ...]) -> Source:
    columns = ", ".join(f"{literal(field.name)}: 'VARCHAR'" for field in fields)
    options = [
        literal(str(path)),
        "auto_detect = false, header = false",
        f"columns = {{{columns}}}",
        f"skip = {int(config.get('skipLeadingRows') or 0)}",
        f"delim = {literal(config.get('fieldDelimiter') or ',')}",
        f"quote = {literal(config.get('quote', chr(34)))}, escape = {literal(config.get('quote', chr(34)))}",
        "nullstr = " + literal(config.get("nullMarker") or "\\N"),
    ]
    texts = {"STRING", "BYTES"}
    values = [
        (
            _from_text(quote(field.name), field)
            if field.type in texts
            else _from_text(f"nullif({quote(field.name)}, '')", field)
        )
        + f" AS {quote(field.name)}"
        for field in fields
    ]
    relation = f"(SELECT {', '.join(values)} FROM read_csv({', '.join(options)}{_compression(path)}))"
    return Source(relation, tuple(field.name for field in fields))


def _json_type(field: Field) -> str:
    if field.mode == "REPEATED":
        return "JSON[]" if field.type == "JSON" else "VARCHAR[]"
    return "JSON" if field.type in DECIMALS | {"JSON"} else "VARCHAR"


def _from_json(field: Field) -> str:
    name = quote(field.name)
    if field.type in DECIMALS and field.mode != "REPEATED":
        digits = f"length(regexp_replace(split_part(CAST({name} AS VARCHAR), 'e', 1), '[^0-9]', '', 'g'))"
        large = f"abs(CAST({name} AS DOUBLE)) >= {EXACT_BELOW} AND {digits} > {EXACT_DIGITS}"
        message = literal(f"Field {field.name}: write a number of so many digits as a string")
        return f"CASE WHEN json_type({name}) = 'DOUBLE' AND {large} THEN error({message}) ELSE {name} ->> '$' END"
    if field.mode == "REPEATED":
        return f"list_transform({name}, lambda one: {_from_text('one', field)})"
    return _from_text(name, field)


def _from_text(value: str, field: Field) -> str:
    if field.type == "BYTES":
        return f"from_base64({value})"
    if field.type == "JSON":  # a string holds JSON text, as the clients send it
        return f"CASE WHEN json_type({value}) = 'VARCHAR' THEN CAST({value} ->> '$' AS JSON) ELSE {value} END"
    if field.type == "TIMESTAMP":  # seconds since 1970 are allowed too
        return (
            f"CASE WHEN regexp_full_match({value}, '-?[0-9]+(\\.[0-9]+)?') "
            f"THEN make_timestamptz(CAST(CAST({value} AS DECIMAL(18, 6)) * 1000000 AS BIGINT)) "
            f"ELSE CAST({value} AS TIMESTAMPTZ) END"
        )
    return value


def _known(columns: tuple[str, ...], fields: tuple[Field, ...]) -> None:
    names = {field.name.lower() for field in fields}
    for column in columns:
        if column.lower() not in names:
            raise invalid(f"Error while reading data, error message: No such field: {column}.")


def _widened(kind: str) -> str:
    """A decimal in a file is a NUMERIC or BIGNUMERIC whatever its precision."""
    if not kind.startswith("DECIMAL"):
        return kind
    scale = int(kind.rstrip(")").split(",")[1])
    return "DECIMAL(38,9)" if scale <= 9 else "DECIMAL(38,18)"


def _compression(path: Path) -> str:
    with path.open("rb") as file:
        return ", compression = 'gzip'" if file.read(2) == GZIP_MAGIC else ""
