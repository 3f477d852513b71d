"""A delivery later than its contract promises is an event; one in time, or sent again, is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.status.grid import cell
from pipeline.status.history import history
from pipeline.window import Window, rfc3339
from tests.deployment import HOUR, InProcessDeployment, asking
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


def test_each_window_counts_once_towards_the_promise(deployment: InProcessDeployment) -> None:
    """In time where it is complete, overdue where certify finds its time over, and late but not counted after that."""
    slot = deployment.load_sample(contract=promising(6000))
    (completed,) = deployment.deliver(slot).named("delivery.completed")
    assert completed["in_time"] is True
    (again,) = deployment.deliver(slot, resend=True).named("delivery.completed")
    assert "in_time" not in again


def test_an_overdue_delivery_is_said_once_and_is_not_counted_again_when_it_comes(
    deployment: InProcessDeployment,
) -> None:
    slot = deployment.load_sample(contract=promising(1))
    deployment.set(FIRST_HOUR=rfc3339(slot.window.start))
    certify = {"action": "certify", **asking(slot)}
    (overdue,) = deployment.run(certify).named("delivery.overdue")
    assert (overdue["in_time"], overdue["dataset"], overdue["window"]) == (False, "bookings", str(slot.window))
    assert "is missing: promised 99 % within 1 minutes" in overdue["message"]
    assert not deployment.run(certify).named("delivery.overdue")
    ran = deployment.deliver(slot)
    (completed,) = ran.named("delivery.completed")
    assert "in_time" not in completed
    assert len(ran.named("delivery.late")) == 1


def test_a_late_delivery_that_certify_never_saw_missing_is_counted_when_it_comes(
    deployment: InProcessDeployment,
) -> None:
    (completed,) = deployment.deliver(deployment.load_sample(contract=promising(1))).named("delivery.completed")
    assert completed["in_time"] is False


def test_an_hour_before_the_look_back_is_a_backfill_that_nobody_was_promised_in_time(
    deployment: InProcessDeployment,
) -> None:
    long_ago = Window.hour(HOUR.start - timedelta(hours=30))
    deployment.set(LOOK_BACK_HOURS="2")
    slot = deployment.load_sample(contract=promising(1), window=long_ago)
    ran = deployment.deliver(slot)
    assert ran.named("delivery.completed")
    assert "in_time" not in ran.named("delivery.completed")[0]
    assert not ran.named("delivery.late")
    assert not deployment.run({"action": "certify", **asking(slot)}).named("delivery.overdue")


def test_a_revision_because_of_late_rows_makes_no_hour_late_that_was_there_in_time(
    deployment: InProcessDeployment,
) -> None:
    slot = deployment.load_sample(contract=promising(6000))
    deployment.deliver(slot)
    first = deployment.records(slot)["r1/delivered-1-1"]["late_seconds"]
    deployment.deliver(slot, revise=True)
    second = deployment.records(slot)["r2/delivered-1-1"]["late_seconds"]
    run = deployment.within()
    late = cell(history(run.records.folder(slot), run), run.now()).late
    assert late is not None
    assert first <= late.total_seconds() < second
