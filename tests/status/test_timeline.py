"""The timeline of one delivery: in order, with who, how long, how late, and what broke off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.clients.counts import PartCount
from pipeline.clients.storage import StoredObject
from pipeline.contracts.returned import Reason
from pipeline.records.folder import Entry
from pipeline.records.schema import (
    Certificate,
    Change,
    Delivered,
    Plan,
    Record,
    Refused,
    Returned,
    Sealed,
    Sending,
    Violation,
)
from pipeline.status.timeline import spoken, timeline
from pipeline.window import Slot, Window

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SLOT = Slot("payments", Window.hour(NOON))
ONE = NOON + timedelta(hours=1)
STORED = StoredObject("n", 1, 2_000, "", "")
PART = PartCount(part=1, rows=7, keys=7, bytes=9, fingerprint="1", totals={})


def after(minutes: float) -> dict[str, Any]:
    """So many minutes after the window's end."""
    return {"created": ONE + timedelta(minutes=minutes)}


def plan(parts: tuple[PartCount, ...] = (PART,), **more: Any) -> Plan:
    bounds: dict[str, Any] = {"start": NOON, "end": ONE, "revision": 1, "snapshot": ONE, "cause": "m1"}
    return Plan(dataset="payments", contract="1.2.0", rows=7, parts=parts, **bounds, **more)


SEALED = Sealed(
    part=1, attempt="a1", file_name="f", rows=7, csv=STORED, sealed=STORED, piece_size=1, piece_sha256=(),
    recipient="", signer=None, keys={}, opened=None, **after(2),
)  # fmt: skip
DELIVERED = Delivered(
    part=1, attempt="a1", cause="m1", began=ONE + timedelta(minutes=2), file_name="f.pgp", size=2_000, sha256="",
    publish="direct", confirmation="size", host_key="", **after(3.5),
)  # fmt: skip


def entries(*named: tuple[str, Record]) -> list[Entry]:
    """Records under their names."""
    return [Entry(name, record) for name, record in named]


def test_moments_are_in_order_with_attempt_message_and_how_late_the_file_was() -> None:
    moments = timeline(
        SLOT,
        entries(
            ("r1/delivered-1-1", DELIVERED),
            ("r1/sealed-1", SEALED),
            ("r1/plan", plan(**after(1))),
            ("r1/sending-1-a1", Sending(part=1, attempt="a1", **after(2))),
        ),
        [],
    )
    assert [moment.what for moment in moments] == ["planned", "sealed", "at the partner"]
    assert "7 rows at snapshot 13:00:00, contract 1.2.0, for message m1." in moments[0].sentence
    assert "not opened again" in moments[1].sentence
    assert "in 90.0 s" in moments[2].sentence
    assert "3 min 30 s after the window's end, by attempt a1" in moments[2].sentence


def test_an_attempt_that_was_announced_and_did_not_succeed_is_shown_as_open() -> None:
    sending = Sending(part=1, attempt="dead", **after(2))
    (moment,) = timeline(SLOT, entries(("r1/sending-1-dead", sending)), [])
    assert (moment.what, moment.revision) == ("upload open", 1)


def test_what_broke_the_contract_is_said_rule_by_rule() -> None:
    rules = (Violation("currency", "pattern", 15, ("h",)),)
    (moment,) = timeline(SLOT, entries(("r2/refused", Refused(part=1, cause="m", rules=rules, **after(1)))), [])
    assert (moment.revision, moment.is_bad, moment.lines) == (2, True, ("currency: 15 rows break the rule pattern",))


def test_an_empty_plan_says_that_nothing_is_sent() -> None:
    (moment,) = timeline(SLOT, entries(("r1/plan", plan(parts=()))), [])
    assert moment.sentence == "No rows; nothing is sent."


def test_a_certificate_that_needs_attention_brings_its_problems() -> None:
    certificate = Certificate(
        verdict="late rows", full=False, rows_planned=7, rows_now=9, fingerprint_planned="1", fingerprint_now="2",
        change=Change(added=2), files=("f",), problems=("2 rows arrived after the plan",), **after(60),
    )  # fmt: skip
    (moment,) = timeline(SLOT, entries(("r1/certificate-1", certificate)), [])
    assert (moment.what, moment.is_bad) == ("late rows", True)
    assert moment.lines == ("2 rows arrived after the plan",)


def test_what_the_partner_returned_is_part_of_it() -> None:
    record = Returned(
        file_name="f.err", size=5, modified=1, archived=STORED, opened=None, signature="none", error=True,
        dataset="payments", start=NOON, revision=1, **after(90),
    )  # fmt: skip
    (moment,) = timeline(SLOT, [], [record])
    assert (moment.what, moment.is_bad, moment.lines) == ("error file", True, (f"archived as {STORED.name}",))


def test_an_answer_to_a_delivery_says_what_it_does_and_counts_rejected_rows() -> None:
    answered = {
        "file_name": "f", "size": 5, "modified": 1, "archived": STORED, "opened": None, "signature": "none",
        "dataset": "payments", "start": NOON, "revision": 1, "part": 1, "answers": True, **after(90),
    }  # fmt: skip
    reasons = (Reason("BAD_IBAN", 1200, ()), Reason("other", 1, ()))
    found = timeline(SLOT, [], [Returned(error=True, reasons=reasons, **answered), Returned(error=False, **answered)])
    assert [moment.what for moment in found] == ["rejected by partner", "acknowledged"]
    assert found[0].lines[:2] == ("1,200 rows: BAD_IBAN", "1 row: other")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-5, "0 s"), (59, "59 s"), (60, "1 min"), (735, "12 min 15 s"), (3600, "1 h"), (7515, "2 h 5 min")],
)
def test_durations_are_spoken(seconds: int, text: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == text
