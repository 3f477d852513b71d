"""The auditor of certificates notices every way in which one can be untrue, and excuses what none can know."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from pipeline.window import Slot, Window
from tests.chaos.certificates import unproven, untrue
from tests.chaos.sights import Seen

SLOT: Final = Slot("payments", Window.hour(datetime(2026, 11, 23, 14, tzinfo=UTC)))
FOLDER: Final = f"deliveries/{SLOT.folder}/r1"
FILE: Final = "payments.csv.pgp"
WHOLE: Final = b"the whole file"
RUN: Final = 20.0
CERTIFIED: Final = 1_000.0

BEFORE: Final = Seen(FILE, WHOLE, 900.0)


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def records(verdict: str = "certified", announced: float | None = None) -> dict[str, dict[str, Any]]:
    """The records of one delivery of one part, sent at 890, and where asked once more."""
    sealed = {"part": 1, "file_name": FILE, "sealed": {"sha256": hashlib.sha256(WHOLE).hexdigest()}}
    attempts = {"a": 890.0, **({"b": announced} if announced is not None else {})}
    return {
        f"{FOLDER}/sealed-1.json": sealed,
        f"{FOLDER}/certificate-1.json": {
            "verdict": verdict,
            "created": at(CERTIFIED),
            "files": [FILE],
            "problems": [],
        },
        **{f"{FOLDER}/sending-1-{name}.json": {"part": 1, "created": at(began)} for name, began in attempts.items()},
    }


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [Seen(FILE, WHOLE[:5], 900.0)],
        [Seen(FILE, b"another file!!", 900.0)],
        [BEFORE, Seen(FILE, None, 950.0)],
        [BEFORE, Seen(FILE, WHOLE[:5], 1_500.0), Seen(FILE, WHOLE, 1_501.0)],
        [BEFORE, Seen(FILE, None, 1_500.0)],
        [Seen(FILE, WHOLE, 1_001.0)],
    ],
    ids=["never there", "half", "other", "gone before", "half later", "gone later", "whole too late"],
)
def test_a_certificate_over_a_file_that_is_absent_half_or_other_is_untrue(seen: list[Seen]) -> None:
    assert len(untrue(records(), seen, RUN)) == 1
    assert untrue(records("unsettled"), seen, RUN) == []


def test_a_certificate_over_a_file_that_stays_whole_is_true() -> None:
    sent_again = Seen(FILE, WHOLE, 1_500.0)
    assert untrue(records(), [BEFORE, sent_again], RUN) == []


@pytest.mark.parametrize(("announced", "excused"), [(970.0, False), (985.0, True), (1_499.0, True), (1_501.0, False)])
def test_half_a_file_later_is_excused_by_an_upload_that_the_certificate_could_not_know(
    announced: float, excused: bool
) -> None:
    seen = [BEFORE, Seen(FILE, WHOLE[:5], 1_500.0)]
    assert (untrue(records(announced=announced), seen, RUN) == []) is excused


def test_a_slot_is_proven_by_the_last_certificate_of_its_last_revision() -> None:
    one = records()
    assert unproven(one, [SLOT]) == []
    later = {f"{FOLDER}/certificate-2.json": {"verdict": "unsettled", "problems": ["half"]}}
    assert len(unproven({**one, **later}, [SLOT])) == 1
    revised = {f"{FOLDER[:-1]}2/certificate-1.json": {"verdict": "empty", "problems": []}}
    assert unproven({**one, **later, **revised}, [SLOT]) == []
    assert len(unproven({}, [SLOT])) == 1
