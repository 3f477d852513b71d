"""Query parameters of the REST API as typed literals."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from .errors import invalid, not_served
from .fields import ALIASES, SCALARS

TYPES = {
    "STRING": "VARCHAR",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "BOOL": "BOOLEAN",
    "NUMERIC": "DECIMAL(38, 9)",
    "BIGNUMERIC": "DECIMAL(38, 18)",
    "TIMESTAMP": "TIMESTAMPTZ",
    "DATETIME": "TIMESTAMP",
    "DATE": "DATE",
    "TIME": "TIME",
    "JSON": "JSON",
}


def read(parameters: list[dict[str, Any]]) -> tuple[dict[str, exp.Expr], list[exp.Expr]]:
    """Named parameters by lower-case name, and positional ones in order."""
    named: dict[str, exp.Expr] = {}
    positional: list[exp.Expr] = []
    for entry in parameters:
        value = _value(entry["parameterType"], entry.get("parameterValue") or {})
        if entry.get("name"):
            named[entry["name"].lower()] = value
        else:
            positional.append(value)
    return named, positional


def _value(kind: dict[str, Any], value: dict[str, Any]) -> exp.Expr:
    if kind["type"].upper() == "ARRAY":
        items = [_value(kind["arrayType"], one) for one in value.get("arrayValues") or []]
        inner = _type(kind["arrayType"]["type"])
        return exp.cast(exp.Array(expressions=items), exp.DataType.build(f"{inner}[]", dialect="duckdb"))
    name = ALIASES.get(kind["type"].upper(), kind["type"].upper())
    text = value.get("value")
    if name == "BYTES":
        literal = exp.null() if text is None else exp.Literal.string(text)
        return exp.func("from_base64", literal)
    literal = exp.null() if text is None else exp.Literal.string(str(text))
    if name == "STRING" and text is not None:
        return literal
    return exp.cast(literal, exp.DataType.build(_type(name), dialect="duckdb"))


def _type(name: str) -> str:
    name = ALIASES.get(name.upper(), name.upper())
    if name in {"STRUCT", "RANGE", "GEOGRAPHY", "INTERVAL"} or name == "BYTES":
        raise not_served(f"query parameters of type {name}")
    if name not in SCALARS:
        raise invalid(f"Invalid query parameter type {name}")
    return TYPES[name]
