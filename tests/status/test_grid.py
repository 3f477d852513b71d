"""Where a delivery stands, from records alone: pure, so every case is written by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.clients.counts import PartCount, Waiting
from pipeline.clients.storage import StoredObject
from pipeline.records.schema import Certificate, Change, Delivered, Plan, Sealed
from pipeline.states import STATES, Verdict
from pipeline.status.grid import Cell, cell, grid, troubles, waiting, would
from pipeline.status.history import History
from pipeline.window import Slot, Window

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SLOT = Slot("payments", Window.hour(NOON))
LATER = NOON + timedelta(hours=5)
BASE: dict[str, Any] = {"created": NOON + timedelta(hours=1), "version": "1"}


def _plan(parts: int = 1, rows: int = 7) -> Plan:
    return Plan(
        **BASE,
        dataset="payments",
        contract="1",
        start=NOON,
        end=NOON + timedelta(hours=1),
        revision=1,
        snapshot=NOON,
        rows=rows * parts,
        parts=tuple(
            PartCount(part=part, rows=rows, keys=rows, bytes=9, fingerprint="1", totals={})
            for part in range(1, parts + 1)
        ),
        cause="1",
    )


def _sealed(part: int = 1) -> Sealed:
    csv = StoredObject(name="n", generation=1, size=100, crc32c="", sha256="")
    return Sealed(
        **BASE,
        part=part,
        attempt="a",
        file_name="f",
        rows=7,
        csv=csv,
        sealed=replace(csv, size=60),
        piece_size=1,
        piece_sha256=(),
        recipient="",
        signer=None,
        keys={},
        opened=None,
    )


def _delivered(part: int = 1, minutes: int = 2) -> Delivered:
    created = BASE["created"] + timedelta(minutes=minutes)
    return Delivered(
        created=created,
        version="1",
        part=part,
        attempt="a",
        cause="1",
        began=created,
        file_name="f",
        size=60,
        sha256="",
        publish="direct",
        confirmation="size",
        host_key="",
    )


def _certificate(verdict: Verdict, minutes: int = 60) -> Certificate:
    return Certificate(
        created=BASE["created"] + timedelta(minutes=minutes),
        version="1",
        verdict=verdict,
        full=False,
        rows_planned=7,
        rows_now=7,
        fingerprint_planned="1",
        fingerprint_now="1",
        change=Change(),
        files=(),
        problems=("why",),
    )


PLANNED = History(SLOT, 1, plan=_plan())
SEALED = History(SLOT, 1, plan=_plan(), sealed=(_sealed(),))
DELIVERED = History(SLOT, 1, plan=_plan(), sealed=(_sealed(),), delivered=(_delivered(),))
EMPTY = History(SLOT, 1, plan=_plan(parts=0))
REFUSED = History(SLOT, 1, plan=_plan(), refused=True)
HALF = History(SLOT, 1, plan=_plan(parts=2), sealed=(_sealed(1), _sealed(2)), delivered=(_delivered(1),))
NOTHING = History(SLOT, 0)
DAMAGED = History(SLOT, 1, damage=("The record was altered.",))


def _with(history: History, verdict: Verdict, minutes: int = 60) -> History:
    return History(
        history.slot,
        history.revision,
        history.refused,
        history.plan,
        history.sealed,
        history.delivered,
        _certificate(verdict, minutes),
    )


@pytest.mark.parametrize(
    ("history", "now", "state"),
    [
        (NOTHING, NOON + timedelta(minutes=119), "awaited"),
        (NOTHING, NOON + timedelta(minutes=120), "missing"),
        (_with(NOTHING, "source not ready"), LATER, "source not ready"),
        (PLANNED, NOON + timedelta(minutes=119), "planned"),
        (SEALED, NOON + timedelta(minutes=119), "sealed"),
        (HALF, NOON + timedelta(minutes=119), "sealed"),
        (PLANNED, LATER, "stalled"),
        (SEALED, LATER, "stalled"),
        (HALF, LATER, "stalled"),
        (DELIVERED, LATER, "delivered"),
        (EMPTY, LATER, "empty"),
        (REFUSED, LATER, "refused"),
        (DAMAGED, LATER, "archive mismatch"),
        (_with(DELIVERED, "certified"), LATER, "certified"),
        (_with(DELIVERED, "late rows"), LATER, "late rows"),
        (_with(DELIVERED, "missing", minutes=1), LATER, "delivered"),
        (_with(DELIVERED, "partner mismatch", minutes=1), LATER, "delivered"),
        (_with(DELIVERED, "certified", minutes=1), LATER, "certified"),
        (_with(SEALED, "missing"), LATER, "missing"),
        (_with(EMPTY, "missing", minutes=1), LATER, "empty"),
    ],
)
def test_the_state_is_the_last_certificate_unless_a_delivery_answered_it(
    history: History, now: datetime, state: str
) -> None:
    found = cell(history, now)
    assert found.state == state
    assert state in STATES


def test_figures_are_those_of_all_parts_and_the_time_until_the_last_was_first_there() -> None:
    parts = (_delivered(1, 1), _delivered(2, 3), _delivered(2, 50))
    whole = History(SLOT, 1, plan=_plan(parts=2), sealed=(_sealed(1), _sealed(2)), delivered=parts)
    found = cell(whole, LATER)
    assert (found.rows, found.bytes, found.sealed_bytes, found.seconds) == (14, 200, 120, 180.0)
    assert cell(HALF, LATER).seconds is None


@pytest.mark.parametrize(
    ("history", "flags", "text"),
    [
        (NOTHING, {}, "plan revision 1 and send it"),
        (PLANNED, {}, "go on with revision 1, which is planned"),
        (SEALED, {}, "go on with revision 1, which is sealed"),
        (DELIVERED, {}, "nothing: delivered before"),
        (DELIVERED, {"resend": True}, "send the sealed bytes of revision 1 again"),
        (DELIVERED, {"revise": True}, "extract revision 2 anew and send it"),
        (EMPTY, {}, "nothing: recorded as empty"),
        (REFUSED, {}, "extract revision 2 anew and send it"),
        (REFUSED, {"resend": True}, "nothing: revision 1 was refused"),
        (DAMAGED, {}, "nothing: a record is damaged"),
        (DAMAGED, {"revise": True}, "extract revision 2 anew and send it"),
    ],
)
def test_what_a_message_would_do_is_said_before_it_is_published(
    history: History, flags: dict[str, bool], text: str
) -> None:
    assert would(history, **{"resend": False, "revise": False, **flags}) == text


def test_hours_in_a_row_with_one_trouble_are_reported_once() -> None:
    hours = [Window.hour(NOON + timedelta(hours=number)) for number in (0, 1, 2, 5)]
    found = grid([History(Slot("payments", hour), 0) for hour in hours], LATER + timedelta(hours=9))
    answer = [(str(one.window), one.state) for one in troubles(found)]
    assert answer == [
        ("20261123T120000Z/20261123T150000Z", "missing"),
        ("20261123T170000Z/20261123T180000Z", "missing"),
    ]
    assert list(found) == sorted(found, reverse=True)


def test_a_cell_in_json_has_plain_values() -> None:
    assert Cell(SLOT, "certified", 1, rows=7).as_json() == {
        "dataset": "payments",
        "start": "2026-11-23T12:00:00Z",
        "end": "2026-11-23T13:00:00Z",
        "state": "certified",
        "revision": 1,
        "rows": 7,
        "bytes": None,
        "sealed_bytes": None,
        "seconds": None,
        "late_seconds": None,
        "problems": [],
        "waiting": None,
    }
    waits = Cell(SLOT, "certified", 1, waiting=Waiting(1_000, NOON)).as_json()["waiting"]
    assert waits == {"rows": 1_000, "since": "2026-11-23T12:00:00Z"}


def test_rows_wait_as_the_latest_hour_with_a_certificate_says() -> None:
    hours = [Slot("payments", Window.hour(NOON + timedelta(hours=number))) for number in range(4)]
    some, more = (_certificate("certified").model_copy(update={"waiting": Waiting(rows)}) for rows in (1, 2))
    none = _certificate("certified")
    told = [History(hours[0], 1, certificate=some), History(hours[1], 1, certificate=more), History(hours[3], 0)]
    assert waiting(grid(told, LATER)) == {"payments": Waiting(2)}
    assert waiting(grid([*told, History(hours[2], 1, certificate=none)], LATER)) == {}
