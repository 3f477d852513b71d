"""Every step, broken in every way: nothing wrong is ever shown, nothing is left, and the same message delivers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Final

import pytest

from tests.faults.table import NOTHING, WAYS, Cell, cells

STEPS: Final = (
    *("plan", "extract", "check", "archive CSV", "encrypt", "reopen", "archive sealed", "record sealed"),
    *("read archive", "connect", "authenticate", "upload", "confirm", "rename", "record delivered", "publish"),
)


@pytest.mark.parametrize("cell", list(cells()), ids=str)
def test_the_step_breaks_cleanly_and_the_same_message_delivers(
    cell: Cell, outcomes: Mapping[str, Future[None]]
) -> None:
    outcomes[str(cell)].result(600)


def test_every_combination_is_in_the_table_or_has_no_meaning() -> None:
    played = [(cell.step, cell.way) for cell in cells()]
    assert sorted([*played, *NOTHING]) == sorted(itertools.product(STEPS, WAYS))
