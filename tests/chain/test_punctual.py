"""A delivery later than its contract promises is an event; one in time, or sent again, is not."""

from __future__ import annotations

import pytest

from tests.deployment import InProcessDeployment
from tests.sample_contract import CONTRACT


def promising(minutes: int) -> str:
    """The contract of the tests, with a promise."""
    return (
        f"{CONTRACT}\nslaProperties:\n"
        f"  - {{property: latency, value: {minutes}, unit: minutes}}\n"
        "  - {property: latencyShare, value: 99, unit: percent}\n"
        "  - {property: latencyPeriod, value: 30, unit: days}\n"
    )


@pytest.mark.parametrize(("minutes", "late"), [(1, 1), (6000, 0)])
def test_a_delivery_later_than_promised_is_said_once(deployment: InProcessDeployment, minutes: int, late: int) -> None:
    slot = deployment.load_sample(contract=promising(minutes))
    ran = deployment.deliver(slot)
    assert ran.error is None
    assert len(ran.named("delivery.late")) == late
    (completed,) = ran.named("delivery.completed")
    assert completed["late_seconds"] > 0
    record = deployment.records(slot)["r1/delivered-1-1"]
    assert 0 < record["late_seconds"] <= completed["late_seconds"]
    again = deployment.deliver(slot, resend=True)
    assert again.named("delivery.completed")
    assert not again.named("delivery.late")


def test_a_contract_without_a_promise_is_never_late(deployment: InProcessDeployment) -> None:
    assert not deployment.deliver(deployment.load_sample()).named("delivery.late")
