"""One row out of DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb


def row(cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The only row of a result, read to its end: a connection with an unread result takes no further work."""
    (found,) = cursor.execute(sql, list(parameters)).fetchall()
    return tuple(found)
