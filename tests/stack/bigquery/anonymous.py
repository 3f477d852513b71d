"""The anonymous tables that query results lie in, as `project:_local.anon...`."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict

from .catalog import TableRef
from .errors import not_found
from .results import Rows

DATASET = "_local"
LIFETIME_SECONDS = 24 * 3600.0
KEPT = 1000


class Anonymous:
    """Results by table name, for 24 hours as in BigQuery, and the latest thousand of them at most."""

    def __init__(self) -> None:
        self._rows: OrderedDict[TableRef, tuple[float, Rows]] = OrderedDict()
        self._guard = threading.Lock()

    def add(self, project: str, rows: Rows) -> TableRef:
        ref = TableRef(project, DATASET, f"anon{uuid.uuid4().hex}")
        now = time.monotonic()
        with self._guard:
            self._rows[ref] = (now, rows)
            while self._rows:
                oldest = next(iter(self._rows.values()))[0]
                if len(self._rows) <= KEPT and oldest > now - LIFETIME_SECONDS:
                    break
                self._rows.popitem(last=False)
        return ref

    def find(self, ref: TableRef) -> Rows | None:
        """The rows, or None where `ref` is no anonymous table. Raises `notFound` for one that has expired."""
        if ref.dataset != DATASET:
            return None
        with self._guard:
            if ref not in self._rows:
                raise not_found(f"Table {ref}")
            return self._rows[ref][1]
