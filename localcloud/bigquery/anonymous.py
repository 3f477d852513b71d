"""The anonymous tables that query results lie in, as `project:_local.anon...`."""

from __future__ import annotations

import uuid

from .catalog import TableRef
from .errors import not_found
from .kept import Kept
from .results import Rows

DATASET = "_local"
LIFETIME_SECONDS = 24 * 3600.0
KEPT = 1000


class Anonymous:
    """Results by table name, for 24 hours as in BigQuery, and the latest thousand of them at most."""

    def __init__(self) -> None:
        self._rows: Kept[TableRef, Rows] = Kept(KEPT, LIFETIME_SECONDS)

    def add(self, project: str, rows: Rows) -> TableRef:
        ref = TableRef(project, DATASET, f"anon{uuid.uuid4().hex}")
        self._rows.add(ref, rows)
        return ref

    def find(self, ref: TableRef) -> Rows | None:
        """The rows, or None where `ref` is no anonymous table. Raises `notFound` for one that has expired."""
        if ref.dataset != DATASET:
            return None
        rows = self._rows.get(ref)
        if rows is None:
            raise not_found(f"Table {ref}")
        return rows
