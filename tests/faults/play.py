"""One cell of the table, played: the fault strikes, nothing is left, the same message delivers, and then no more."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from localcloud.function import Function
from localcloud.pubsub.message import Message
from pipeline.window import Slot, Window
from tests.faults import proof
from tests.faults.ground import AMPLE, DATASET, Ground
from tests.faults.push import Answer, asking_for, message, push
from tests.faults.table import FEW, Cell
from tests.faults.traces import nothing_left, threads, until

GRACE = 12.0
"""Seconds that an invocation may take beyond its budget: to say farewell to a server, to end gpg, and to answer."""
MANY_HOURS = 200
PATIENT = 4


def play(ground: Ground, cell: Cell) -> None:
    """Assert everything that the table promises of a cell."""
    if cell.step == "publish":
        _fan_out(ground, cell)
        return
    slot = ground.slot(cell.rows)
    pushed = asking_for(slot.window, DATASET)
    answer = _struck(ground, cell, pushed, slot)
    assert len([name for name in proof.records(ground, slot) if "sealed" in name]) <= 1
    if answer.acknowledges:
        proof.delivered(ground, slot)
    elif cell.publish == "rename" and cell.way != "lost":
        assert all(path.name.startswith(".") for path in proof.files(ground, slot))
    function = ground.function(cell.publish, cell.budget)
    _again(ground, cell, function, pushed)
    before = proof.delivered(ground, slot).stat().st_mtime_ns
    settled = proof.settled(ground, slot)
    _again(ground, cell, function, pushed)
    after = proof.delivered(ground, slot).stat().st_mtime_ns
    assert after == before or not settled, "what was settled was sent again"
    nothing_left(ground, slot)


def _fan_out(ground: Ground, cell: Cell) -> None:
    """A message for several hours: afterwards every hour has a message of its own, and those deliver."""
    later, earlier = ground.slot(FEW), ground.slot(FEW)
    start = earlier.window.start
    hours = MANY_HOURS if cell.way == "middle" else 2
    window = Window(later.window.end - timedelta(hours=hours), later.window.end)
    datasets = sorted(ground.local.datasets) if cell.way == "middle" else [DATASET]
    pushed = asking_for(window, *datasets)
    ground.published()
    _struck(ground, cell, pushed, earlier)
    function = ground.function(cell.publish, cell.budget)
    _again(ground, cell, function, pushed)
    messages = ground.published()
    asked = [json.loads(one) for one in messages]
    wanted = {(name, f"{hour.start:%Y-%m-%dT%H:%M:%SZ}") for hour in window.hours() for name in datasets}
    assert {(one["datasets"][0], one["window"]["start"]) for one in asked} == wanted
    for data, one in zip(messages, asked, strict=True):
        if one["datasets"] == [DATASET] and one["window"]["start"] >= f"{start:%Y-%m-%dT%H:%M:%SZ}":
            _again(ground, cell, function, message(data))
    for slot in (later, earlier):
        proof.delivered(ground, slot)
        nothing_left(ground, slot)


def _struck(ground: Ground, cell: Cell, pushed: Message, slot: Slot) -> Answer:
    """Push the message into the fault; the answer, after everything that must hold of the attempt was asserted."""
    function = ground.function(cell.publish, cell.budget)
    ground.look()
    cell.broken(ground)
    answer = _killed(ground, cell, function, pushed) if cell.way == "kill" else push(function.url, pushed)
    ground.mend()
    nothing_left(ground, slot)
    assert not threads(ground.lines())
    if cell.way == "kill":
        assert answer.status is None
        return answer
    assert answer.seconds < cell.budget + GRACE, answer
    assert answer.acknowledges is not bool(cell.codes), _failures(ground, function)
    failures = [event for event in ground.events() if event["event"] == "run.failed"]
    assert len(failures) == bool(cell.codes)
    for failure in failures:
        assert failure["code"] in cell.codes, failure
        assert failure["retryable"] is True
    assert not ground.local.rejected()
    return answer


def _killed(ground: Ground, cell: Cell, function: Function, pushed: Message) -> Answer:
    with ThreadPoolExecutor(1) as pushing:
        answer = pushing.submit(push, function.url, pushed)
        try:
            assert until(lambda: cell.reached(ground) or answer.done(), 30), "the fault did not strike"
            assert not answer.done(), answer
        finally:
            function.kill()
        return answer.result()


def _again(ground: Ground, cell: Cell, function: Function, pushed: Message) -> None:
    """Push until it is acknowledged: at once, or soon where a slow machine may exceed the short budget."""
    pushes = 1 if cell.budget == AMPLE else PATIENT
    assert any(push(function.url, pushed).acknowledges for _ in range(pushes)), _failures(ground, function)


def _failures(ground: Ground, function: Function) -> str:
    told = [f"{event['time'][11:23]} {event['event']} {event.get('code', '')}" for event in ground.events()]
    return f"{function.log.name}\n" + "\n".join(told)
