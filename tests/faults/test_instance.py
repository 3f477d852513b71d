"""What happens to instances: a network that carries nothing at first, and a freeze in the middle of the work."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

import pytest

from localcloud.gate import gate
from tests.faults import proof
from tests.faults.harness import AMPLE, BUDGET, DATASET, FaultHarness
from tests.faults.push import asking_for, push
from tests.faults.table import FEW, MANY
from tests.faults.traces import nothing_left, until

COLD: Final = 25.0
"""Seconds: longer than gRPC takes to give up one connection."""

ENDPOINTS: Final = (
    "BIGQUERY_EMULATOR_HOST",
    "BIGQUERY_STORAGE_EMULATOR_HOST",
    "SECRET_MANAGER_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
)


def test_a_cold_network_is_waited_for_in_the_first_invocation(harness: FaultHarness) -> None:
    slot = harness.slot(FEW)
    environment = harness.deployment.environment()
    with ExitStack() as ending:
        gates = {name: ending.enter_context(gate(environment[name].removeprefix("http://"))) for name in ENDPOINTS}
        partner = ending.enter_context(gate(f"{environment['SFTP_HOST']}:{environment['SFTP_PORT']}"))
        settings = {
            name: f"{'http://' if environment[name].startswith('http') else ''}{one.address}"
            for name, one in gates.items()
        }
        settings["SFTP_PORT"] = str(partner.port)
        function = harness.function("direct", AMPLE, "cold", 1, **settings)
        harness.look()
        for one in (gates["SECRET_MANAGER_EMULATOR_HOST"], partner):
            one.close(COLD)
        answer = push(function.url, asking_for(slot.window, DATASET), patience=150)
        assert answer.acknowledges, harness.event_names()
        assert answer.seconds > COLD
        assert "key.unusable" not in harness.event_names()
        function.kill()
    proof.delivered(harness, slot)


@pytest.mark.parametrize("event", ["plan.started", "plan.completed", "seal.completed", "upload.started"])
def test_an_instance_that_is_frozen_and_goes_on_later_does_no_harm(harness: FaultHarness, event: str) -> None:
    slot = harness.slot(MANY)
    pushed = asking_for(slot.window, DATASET)
    frozen, other = harness.function(budget=BUDGET, name="frozen"), harness.function()
    harness.look()
    with ThreadPoolExecutor(1) as pushing:
        late = pushing.submit(push, frozen.url, pushed, patience=120)
        try:
            assert until(lambda: event in harness.event_names(), 60)
            frozen.freeze()
            assert push(other.url, pushed).acknowledges
            file = proof.delivered(harness, slot).read_bytes()
            threading.Event().wait(BUDGET)  # until its time is over
        finally:
            frozen.thaw()
        late.result()
    assert until(lambda: proof.files(harness, slot) != [])
    assert push(other.url, pushed).acknowledges
    assert proof.delivered(harness, slot).read_bytes() == file
    nothing_left(harness, slot)


def test_a_partner_who_is_too_slow_for_a_part_is_named_after_three_attempts(harness: FaultHarness) -> None:
    slot = harness.slot(MANY)
    pushed = asking_for(slot.window, DATASET)
    environment = harness.deployment.environment()
    with gate(f"{environment['SFTP_HOST']}:{environment['SFTP_PORT']}") as partner:
        partner.rate = 800_000
        function = harness.function("direct", BUDGET, "slow", 1, SFTP_PORT=str(partner.port))
        for _ in range(4):  # the first may be over while it seals
            harness.look()
            if push(function.url, pushed).acknowledges:
                break
            failures = [event for event in harness.events() if event["event"] == "run.failed"]
            assert [event["code"] for event in failures] == ["out-of-time"]
        else:
            pytest.fail("it is tried for ever")
        (rejected,) = [event for event in harness.events() if event["event"] == "message.rejected"]
        assert rejected["code"] == "upload-too-slow"
        assert "MAX_PART_BYTES" in rejected["message"]
        function.kill()
    harness.deployment.rejected()
