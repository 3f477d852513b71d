"""What happens to instances: a network that carries nothing at first, and a freeze in the middle of the work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Final

import pytest

from localcloud.gate import Gate, gate
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


@contextmanager
def gated(harness: FaultHarness) -> Iterator[tuple[dict[str, Gate], dict[str, str]]]:
    """A gate before every service, by the setting that names it, and the settings that lead through them."""
    environment = harness.deployment.environment()
    with ExitStack() as ending:
        gates = {name: ending.enter_context(gate(environment[name].removeprefix("http://"))) for name in ENDPOINTS}
        settings = {
            name: f"{'http://' if environment[name].startswith('http') else ''}{one.address}"
            for name, one in gates.items()
        }
        partner = ending.enter_context(gate(f"{environment['SFTP_HOST']}:{environment['SFTP_PORT']}"))
        yield {**gates, "SFTP_PORT": partner}, {**settings, "SFTP_PORT": str(partner.port)}


def test_a_cold_network_is_waited_for_in_the_first_invocation(harness: FaultHarness) -> None:
    slot = harness.slot(FEW)
    with gated(harness) as (gates, settings):
        function = harness.function("direct", AMPLE, "cold", 1, **settings)
        harness.look()
        for name in ("SECRET_MANAGER_EMULATOR_HOST", "SFTP_PORT"):
            gates[name].close(COLD)
        answer = push(function.url, asking_for(slot.window, DATASET), patience=150)
        assert answer.acknowledges, harness.event_names()
        assert answer.seconds > COLD
        assert "key.unusable" not in harness.event_names()
        function.kill()
    proof.delivered(harness, slot)


@pytest.mark.parametrize("event", ["plan.started", "plan.completed", "seal.completed", "upload.started"])
def test_an_instance_that_is_frozen_and_goes_on_later_does_no_harm(harness: FaultHarness, event: str) -> None:
    """Frozen until its time is over and all its connections have ended.

    That is what ten minutes do: every clock that counts has run out by then, the budget's and the servers' patience
    with a silent client, whose half file the partner stores over the whole one of another attempt.
    """
    slot = harness.slot(MANY)
    pushed = asking_for(slot.window, DATASET)
    with gated(harness) as (gates, settings):
        frozen, other = harness.function(budget=BUDGET, name=f"frozen-{event}", **settings), harness.function()  # type: ignore[arg-type]
        harness.look()
        with ThreadPoolExecutor(1) as pushing:
            late = pushing.submit(push, frozen.url, pushed, patience=120)
            try:
                assert until(lambda: event in harness.event_names(), 60)
                frozen.freeze()
                assert push(other.url, pushed).acknowledges
                file = proof.delivered(harness, slot).read_bytes()
                for one in gates.values():
                    one.cut()
                threading.Event().wait(BUDGET)  # until its time is over
            finally:
                frozen.thaw()
            late.result()
        assert until(lambda: not any(harness.cloud.incoming.iterdir()))
        assert push(other.url, pushed).acknowledges
        assert proof.delivered(harness, slot).read_bytes() == file
        nothing_left(harness, slot)
        frozen.stop()


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
