"""The table's cells are played in a few worlds at once, since most of them wait; each test looks at its own outcome."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from typing import Final

import pytest

from tests.faults.ground import BUDGET, Ground, ground
from tests.faults.play import play
from tests.faults.table import Cell

WORLDS: Final = 4


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[None]]]:
    """For every selected cell, by name: how playing it ended. Every world is gone when the session ends."""
    selected = [item.callspec.params["cell"] for item in request.session.items if _has_cell(item)]  # type: ignore[attr-defined]
    waiting: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    made: dict[str, Future[None]] = {}
    for cell in sorted(selected, key=lambda one: one.budget != BUDGET):  # those that wait long begin first
        made[str(cell)] = Future()
        waiting.put(cell)
    workers = [threading.Thread(target=_work, args=(waiting, made)) for _ in range(min(WORLDS, len(selected)))]
    for worker in workers:
        worker.start()
    yield made
    with suppress(queue.Empty):
        while True:
            waiting.get_nowait()
    for worker in workers:
        worker.join()


def _has_cell(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and hasattr(item, "callspec") and "cell" in item.callspec.params


def _work(waiting: queue.SimpleQueue[Cell], made: Mapping[str, Future[None]]) -> None:
    """Play cells in one world; after a failure in a new one, so that none pays for another's."""
    standing: Ground | None = None
    with ExitStack() as ending:
        while not waiting.empty():
            try:
                cell = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                standing = standing or ending.enter_context(ground())
                play(standing, cell)
            except BaseException as error:  # noqa: BLE001  # raised again in the cell's own test
                made[str(cell)].set_exception(error)
                standing = None
                ending.close()
            else:
                made[str(cell)].set_result(None)


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    """A world of this module's own."""
    with ground() as made:
        yield made
