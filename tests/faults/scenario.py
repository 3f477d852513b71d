"""One cell of the table, run: the fault strikes, nothing is left, the same message delivers, and then no more."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from localcloud.function import Function
from localcloud.pubsub.message import Message
from pipeline.window import Slot, Window
from tests.faults import proof
from tests.faults.harness import AMPLE, DATASET, FaultHarness
from tests.faults.push import Answer, asking_for, message, push
from tests.faults.table import FEW, Cell
from tests.faults.traces import nothing_left, threads, until

GRACE = 12.0
"""Seconds that an invocation may take beyond its budget: to say farewell to a server, to end gpg, and to answer."""
MANY_HOURS = 200
PATIENT = 4


def check_cell(harness: FaultHarness, cell: Cell) -> None:
    """Assert everything that the table promises of a cell."""
    if cell.step == "publish":
        _fan_out(harness, cell)
        return
    slot = harness.slot(cell.rows)
    pushed = asking_for(slot.window, DATASET)
    answer = _struck(harness, cell, pushed, slot)
    assert len([name for name in proof.records(harness, slot) if "sealed" in name]) <= 1
    if answer.acknowledges:
        proof.delivered(harness, slot)
    elif cell.publish == "rename" and cell.way != "lost":
        assert all(path.name.startswith(".") for path in proof.files(harness, slot))
    function = harness.function(cell.publish, cell.budget)
    _again(harness, cell, function, pushed)
    before = proof.delivered(harness, slot).stat().st_mtime_ns
    settled = proof.settled(harness, slot)
    _again(harness, cell, function, pushed)
    after = proof.delivered(harness, slot).stat().st_mtime_ns
    assert after == before or not settled, "what was settled was sent again"
    nothing_left(harness, slot)


def _fan_out(harness: FaultHarness, cell: Cell) -> None:
    """A message for several hours: afterwards every hour has a message of its own, and those deliver."""
    later, earlier = harness.slot(FEW), harness.slot(FEW)
    start = earlier.window.start
    hours = MANY_HOURS if cell.way == "middle" else 2
    window = Window(later.window.end - timedelta(hours=hours), later.window.end)
    datasets = sorted(harness.deployment.datasets) if cell.way == "middle" else [DATASET]
    pushed = asking_for(window, *datasets)
    harness.deployment.published()
    _struck(harness, cell, pushed, earlier)
    function = harness.function(cell.publish, cell.budget)
    _again(harness, cell, function, pushed)
    messages = harness.deployment.published()
    asked = [json.loads(one) for one in messages]
    wanted = {(name, f"{hour.start:%Y-%m-%dT%H:%M:%SZ}") for hour in window.hours() for name in datasets}
    assert {(one["datasets"][0], one["window"]["start"]) for one in asked} == wanted
    for data, one in zip(messages, asked, strict=True):
        if one["datasets"] == [DATASET] and one["window"]["start"] >= f"{start:%Y-%m-%dT%H:%M:%SZ}":
            _again(harness, cell, function, message(data))
    for slot in (later, earlier):
        proof.delivered(harness, slot)
        nothing_left(harness, slot)


def _struck(harness: FaultHarness, cell: Cell, pushed: Message, slot: Slot) -> Answer:
    """Push the message into the fault; the answer, after everything that must hold of the attempt was asserted."""
    function = harness.function(cell.publish, cell.budget)
    harness.look()
    cell.broken(harness)
    answer = _killed(harness, cell, function, pushed) if cell.way == "kill" else push(function.url, pushed)
    harness.end_faults()
    nothing_left(harness, slot)
    assert not threads(harness.lines())
    if cell.way == "kill":
        assert answer.status is None
        return answer
    assert answer.seconds < cell.budget + GRACE, answer
    assert answer.acknowledges is not bool(cell.codes), _failures(harness, function)
    failures = [event for event in harness.events() if event["event"] == "run.failed"]
    assert len(failures) == bool(cell.codes)
    for failure in failures:
        assert failure["code"] in cell.codes, failure
        assert failure["retryable"] is True
    assert not harness.deployment.rejected()
    return answer


def _killed(harness: FaultHarness, cell: Cell, function: Function, pushed: Message) -> Answer:
    with ThreadPoolExecutor(1) as pushing:
        answer = pushing.submit(push, function.url, pushed)
        try:
            assert until(lambda: cell.reached(harness) or answer.done(), 30), "the fault did not strike"
            assert not answer.done(), answer
        finally:
            function.kill()
        return answer.result()


def _again(harness: FaultHarness, cell: Cell, function: Function, pushed: Message) -> None:
    """Push until it is acknowledged: at once, or soon where a slow machine may exceed the short budget."""
    pushes = 1 if cell.budget == AMPLE else PATIENT
    assert any(push(function.url, pushed).acknowledges for _ in range(pushes)), _failures(harness, function)


def _failures(harness: FaultHarness, function: Function) -> str:
    events = [f"{event['time'][11:23]} {event['event']} {event.get('code', '')}" for event in harness.events()]
    return f"{function.log.name}\n" + "\n".join(events)
