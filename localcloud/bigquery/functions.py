"""GoogleSQL functions that DuckDB cannot express, in Python: slow, so only for values that need them."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

# Unicode's White_Space, all of which TRIM strips: https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt
WHITE_SPACE = "".join(map(chr, [*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F]))
WHITE_SPACE += "\u205f\u3000"


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to the whole database."""
    text = connection.type("VARCHAR")
    functions: dict[str, Any] = {
        "bq_upper": lambda values: _each(values, str.upper),
        "bq_lower": lambda values: _each(values, str.lower),
        "bq_json_text": lambda values: _each(values, _normal),
        "bq_json_string": lambda values: _each(values, _quoted),
    }
    for name, function in functions.items():
        connection.create_function(
            name, function, [text], text, type=PythonUDFType.ARROW, null_handling=FunctionNullHandling.SPECIAL
        )


def _normal(text: str) -> str:
    """As BigQuery stores JSON: keys in order, the first of two that are the same, no blanks."""
    parsed = json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    return json.dumps(parsed, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _quoted(text: str) -> str:
    """A JSON string with the signs escaped that BigQuery escapes."""
    return json.dumps(text, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _each(values: Any, change: Any) -> pa.Array:
    return pa.array([None if one is None else change(one) for one in values.to_pylist()], pa.string())
