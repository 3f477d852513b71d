"""A small chaos with a fixed seed; `make chaos` runs a large one with any."""

from __future__ import annotations

from tests.chaos.auditor import Audit
from tests.chaos.run import run


def test_nothing_is_lost_nothing_altered_nothing_unchecked_nothing_left() -> None:
    day = run(seed=20261123, windows=9)
    assert day.audit == Audit(files=day.audit.files, rows=day.audit.rows)
    assert day.refused == 0
    assert day.audit.files > 0
    assert day.failed > 0, "nothing went wrong, so nothing is proven"
    assert day.at_once > 0
