"""A delivery in parts: a kill after the last seal, and two last parts at once; nothing is lost, nothing sent twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from localcloud.function import Function
from localcloud.opened import decrypt, partner_home
from localcloud.pubsub.message import Message
from pipeline.window import Slot
from tests.chaos.sums import Sums, in_file, in_warehouse
from tests.faults import proof
from tests.faults.harness import DATASET, FaultHarness
from tests.faults.push import asking_for, message, push
from tests.faults.table import ALWAYS
from tests.faults.traces import nothing_left, until

ROWS: Final = 300

NOTHING_PUBLISHED: Final = ({"match": "Publish", "action": "hang", "times": ALWAYS},)
PUBLISHED_UNANSWERED: Final = (
    {"match": "Publish", "action": "lose"},
    {"match": "Publish", "action": "hang", "skip": 1, "times": ALWAYS},
)


def functions(harness: FaultHarness) -> tuple[Function, Function]:
    """Two servers, as two instances that take messages at the same moment."""
    return harness.function(name="parts", MAX_PART_ROWS="100"), harness.function(name="other", MAX_PART_ROWS="100")


def planned(harness: FaultHarness, function: Function) -> tuple[Slot, list[Message]]:
    """An hour of several parts, and the messages that its parts are sealed by."""
    slot = harness.slot(ROWS)
    harness.deployment.published()
    assert push(function.url, asking_for(slot.window, DATASET)).acknowledges
    messages = [message(data) for data in harness.deployment.published()]
    assert len(messages) > 2
    return slot, messages


def sealed(harness: FaultHarness, slot: Slot) -> int:
    """How many parts are sealed."""
    return sum(name.startswith("r1/sealed-") for name in proof.records(harness, slot))


def carried_out(harness: FaultHarness, function: Function) -> list[dict[str, Any]]:
    """Push what was published, one after the other, until nothing is published any more; the messages."""
    carried: list[dict[str, Any]] = []
    while published := harness.deployment.published():
        for data in published:
            assert push(function.url, message(data)).acknowledges
        carried += [json.loads(data) for data in published]
    return carried


def assert_whole_and_once(harness: FaultHarness, slot: Slot, parts: int) -> None:
    """Every part was written once, and together they are what the warehouse holds."""
    files = proof.files(harness, slot)
    writes = Counter(entry.path for entry in harness.cloud.journal() if entry.operation == "write")
    assert [writes[f"/{file.name}"] for file in files] == [1] * parts
    delivered = sorted(name for name in proof.records(harness, slot) if name.startswith("r1/delivered-"))
    assert delivered == [f"r1/delivered-{part}-1" for part in range(1, parts + 1)]
    with partner_home(harness.cloud.partner_key, harness.cloud.signing_key) as home:
        sums = [in_file(decrypt(home, file, harness.cloud.signing_key.fingerprint)) for file in files]
    assert together(sums) == in_warehouse(harness.deployment, slot)


def together(sums: Sequence[Sums]) -> Sums:
    rows, keys, amounts = zip(*sums, strict=True)
    return sum(rows), sum(keys), sum(amounts)


@pytest.mark.parametrize("faults", [NOTHING_PUBLISHED, PUBLISHED_UNANSWERED], ids=["before", "after"])
def test_a_kill_between_the_last_seal_and_the_answer_to_its_messages_loses_and_repeats_nothing(
    harness: FaultHarness, faults: tuple[dict[str, Any], ...]
) -> None:
    function, other = functions(harness)
    slot, messages = planned(harness, other)
    for one in messages[:-1]:
        assert push(other.url, one).acknowledges
    harness.look()
    harness.cloud.break_topics(*faults)
    with ThreadPoolExecutor(1) as pushing:
        answer = pushing.submit(push, function.url, messages[-1])
        try:
            assert until(lambda: "fanout.started" in harness.event_names()[1:], 60), harness.event_names()
            if len(faults) > 1:
                assert until(lambda: "service.retry" in harness.event_names(), 60), harness.event_names()
            assert not answer.done()
        finally:
            function.kill()
        assert answer.result().status is None
    harness.end_faults()
    assert sealed(harness, slot) == len(messages)
    assert proof.files(harness, slot) == []
    nothing_left(harness, slot)
    harness.look()
    assert push(other.url, messages[-1]).acknowledges
    assert "seal.started" not in harness.event_names()
    carried_out(harness, other)
    assert_whole_and_once(harness, slot, len(messages))


def test_the_last_two_parts_sealed_at_the_same_moment_lose_and_repeat_nothing(harness: FaultHarness) -> None:
    both = functions(harness)
    slot, messages = planned(harness, both[0])
    for one in messages[:-2]:
        assert push(both[0].url, one).acknowledges
    harness.look()
    # The third and fourth listing are those after the seals: they wait until both parts are sealed.
    harness.cloud.break_storage(r"GET .*/b/records/o\?.*prefix=deliveries", "hang", skip=2, times=2)
    with ThreadPoolExecutor(2) as pushing:
        answers = [pushing.submit(push, function.url, one) for function, one in zip(both, messages[-2:], strict=True)]
        assert until(lambda: harness.event_names().count("seal.completed") == 2, 60)
        assert until(harness.cloud.storage_struck)
        assert not any(answer.done() for answer in answers)
        harness.end_faults()
        assert all(answer.result().acknowledges for answer in answers)
    carried = carried_out(harness, both[0])
    assert sorted(one["part"] for one in carried) == sorted([*range(1, len(messages) + 1)] * 2)
    assert all(one["upload"] for one in carried)
    assert_whole_and_once(harness, slot, len(messages))
