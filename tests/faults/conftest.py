"""The table's cells run in a few clouds at once, since most of them wait; each test looks at its own outcome."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from typing import Final

import pytest

from tests.faults.harness import BUDGET, FaultHarness, fault_harness
from tests.faults.scenario import check_cell
from tests.faults.table import Cell

CLOUDS: Final = 4


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[None]]]:
    """For every selected cell, by name: how it ended. Every cloud is gone when the session ends."""
    selected = [item.callspec.params["cell"] for item in request.session.items if _has_cell(item)]  # type: ignore[attr-defined]
    waiting: queue.SimpleQueue[Cell] = queue.SimpleQueue()
    made: dict[str, Future[None]] = {}
    for cell in sorted(selected, key=lambda one: one.budget != BUDGET):  # those that wait long begin first
        made[str(cell)] = Future()
        waiting.put(cell)
    workers = [threading.Thread(target=_work, args=(waiting, made)) for _ in range(min(CLOUDS, len(selected)))]
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
    """Run cells in one cloud; after a failure in a new one, so that none pays for another's."""
    current: FaultHarness | None = None
    with ExitStack() as ending:
        while not waiting.empty():
            try:
                cell = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                current = current or ending.enter_context(fault_harness())
                check_cell(current, cell)
            except BaseException as error:  # noqa: BLE001  # raised again in the cell's own test
                made[str(cell)].set_exception(error)
                current = None
                ending.close()
            else:
                made[str(cell)].set_result(None)


@pytest.fixture(scope="module")
def harness() -> Iterator[FaultHarness]:
    """A cloud of this module's own."""
    with fault_harness() as made:
        yield made
