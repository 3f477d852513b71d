"""The problems of a certificate are sentences with numbers, and the last one is the command that comes next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from localcloud.partner.faults import Fault
from pipeline.states import STATES
from pipeline.status.next_step import look_command, next_command, told
from pipeline.window import HOUR, Slot, Window, rfc3339
from tests.certify.conftest import Certifying
from tests.deployment import HOUR as WINDOW

START = rfc3339(WINDOW.start)
REPUBLISH = f"next: python -m pipeline republish --start {START} --dataset payments"


def problems(certifying: Certifying, slot: Slot) -> list[str]:
    certifying.certify(slot)
    return list(certifying.latest(slot)["problems"])


def test_refused_rows_are_said_by_rule_and_number(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load(count=20)
    table = f"`{deployment.tables.name}.payments`"
    deployment.tables.sql(f"UPDATE {table} SET currency = 'eur' WHERE payment_id LIKE '%1%'")
    deployment.deliver(slot)
    rows = deployment.records(slot)["r1/refused"]["rules"][0]["rows"]
    assert rows > 1
    assert problems(certifying, slot) == [f"currency: {rows} rows break ^[A-Z]{{3}}$", REPUBLISH]


def test_a_late_source_is_said_with_how_far_it_is_and_rings_once_though_it_goes_on(certifying: Certifying) -> None:
    deployment = certifying.deployment
    deployment.tables.create(deployment.datasets.values())
    slot = Slot("payments", Window.hour(WINDOW.start - 2 * HOUR))
    deployment.set(FIRST_HOUR=rfc3339(slot.window.start))
    deployment.tables.complete(["payments"], slot.window.start - HOUR)
    first = certifying.certify(slot)
    assert len(first.named("window.not_ready")) == 1
    assert "needs" in certifying.latest(slot)["problems"][0]
    deployment.tables.complete(["payments"], slot.window.start)
    assert not certifying.certify(slot).named("window.not_ready")
    until, needed = (f"{instant:%H:%M}" for instant in (slot.window.start, slot.window.end))
    said = certifying.latest(slot)["problems"][0]
    assert said.startswith("the source is complete until ")
    assert until in said
    assert said.endswith(f"needs {needed}")


def test_what_is_missing_is_said_by_part_with_how_far_it_came(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load(count=20)
    certifying.break_partner(Fault("connect", "error", times=10_000))
    deployment.deliver(slot)
    deployment.cloud.end_faults()
    sentence, failure, following = problems(certifying, slot)
    rows = deployment.records(slot)["r1/plan"]["rows"]
    assert sentence == f"part 1 of 1, {rows} rows, is sealed and not at the partner"
    assert failure.startswith("the last attempt failed: partner-unavailable, ")
    assert following == REPUBLISH


def test_what_was_never_planned_is_said_with_its_rows(certifying: Certifying) -> None:
    slot = certifying.deployment.load(count=20)
    certifying.deployment.set(FIRST_HOUR=START)
    said = problems(certifying, slot)
    rows = certifying.latest(slot)["rows_now"]
    assert said == [f"{rows} rows at the source, nothing planned", REPUBLISH]
    assert rows > 1


@pytest.mark.parametrize("name", [name for name, state in STATES.items() if state.needs_attention])
def test_every_state_that_needs_attention_has_a_next_command(name: str) -> None:
    long = Window(WINDOW.start, WINDOW.start + timedelta(hours=3))
    assert next_command(name, "payments", long).startswith("python -m pipeline ")  # type: ignore[arg-type]
    assert f"--start {START} --end {rfc3339(long.end)}" in next_command(name, "payments", long)  # type: ignore[arg-type]
    assert look_command("payments", long).endswith(f"status payments {START}")


def test_hours_that_lack_the_same_are_reported_together_though_their_commands_differ() -> None:
    assert told(("a", "next: python -m pipeline status")) == ("a",)
