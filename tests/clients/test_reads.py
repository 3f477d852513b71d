"""Sessions of the Storage Read API."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.budget import Budget
from pipeline.clients import reads


class Asked(Exception):
    """What a session was asked under; only a double shows it, since the local service knows no permissions."""


class Reader:
    def create_read_session(self, *, parent: str, **_: Any) -> None:
        raise Asked(parent)


def test_a_session_belongs_to_our_project_though_the_table_is_anothers() -> None:
    wanted = reads.whole("projects/theirs/datasets/d/tables/t")
    rows = reads.batches(Reader(), wanted, "ours", Budget.of(60.0))  # type: ignore[arg-type]
    with pytest.raises(Asked, match=r"^projects/ours$"):
        next(rows)
