"""One delivery as a timeline: what happened when, by whom, how long it took; pure, from its records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import singledispatch

from pipeline.contracts.dataset import Dataset
from pipeline.records.folder import Entry
from pipeline.records.schema import Certificate, Delivered, Plan, Record, Refused, Returned, Sealed, Sending
from pipeline.records.sentences import refusal, rows
from pipeline.states import STATES
from pipeline.window import Slot


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a delivery: when, in which revision (None: it is not known), and a sentence.

    `lines` say more, each by itself; `is_bad` marks what needs attention.
    """

    at: datetime
    revision: int | None
    what: str
    sentence: str
    lines: tuple[str, ...] = ()
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class _Subject:
    """What records are told of: the slot, and the contract of its latest revision where that is known."""

    slot: Slot
    contract: Dataset | None


def timeline(
    slot: Slot, entries: Sequence[Entry], returned: Iterable[Returned], contract: Dataset | None = None
) -> list[Moment]:
    """Every moment of a slot, earliest first. Records that cannot be read are left to who lists the records.

    With the `contract`, the rules that refused rows break are said in its words.
    """
    began = {
        (_revision(entry), entry.record.part, entry.record.attempt): entry.record.created
        for entry in entries
        if isinstance(entry.record, Sending)
    }
    ended = {
        (_revision(entry), entry.record.part, entry.record.attempt)
        for entry in entries
        if isinstance(entry.record, Delivered)
    }
    moments = [
        moment
        for entry in entries
        if entry.record is not None
        for moment in _of(entry.record, _revision(entry), _Subject(slot, contract))
    ]
    moments += [
        Moment(at, revision, "upload open", f"Attempt {attempt} began to send part {part}; it has not succeeded.")
        for (revision, part, attempt), at in began.items()
        if (revision, part, attempt) not in ended
    ]
    moments += [_returned(record) for record in returned]
    return sorted(moments, key=lambda moment: moment.at)


def _revision(entry: Entry) -> int:
    return int(entry.name.partition("/")[0].removeprefix("r"))


@singledispatch
def _of(record: Record, revision: int, subject: _Subject) -> Iterator[Moment]:
    """What a record tells; some tell nothing by themselves."""
    yield from ()


@_of.register
def _(plan: Plan, revision: int, subject: _Subject) -> Iterator[Moment]:
    if plan.empty:
        yield Moment(plan.created, revision, "planned", "No rows; nothing is sent.")
        return
    parts = f" in {len(plan.parts)} parts" if len(plan.parts) > 1 else ""
    yield Moment(
        plan.created,
        revision,
        "planned",
        f"{plan.rows:,} rows{parts} at snapshot {plan.snapshot:%H:%M:%S}, contract {plan.contract}, for message "
        f"{plan.cause}.",
    )


@_of.register
def _(refused: Refused, revision: int, subject: _Subject) -> Iterator[Moment]:
    lines = refusal(refused, subject.contract)
    yield Moment(refused.created, revision, "refused", f"Part {refused.part} breaks the contract.", lines, is_bad=True)


@_of.register
def _(sealed: Sealed, revision: int, subject: _Subject) -> Iterator[Moment]:
    opened = "opened again and equal" if sealed.opened else "not opened again (PGP_REOPEN is off)"
    yield Moment(
        sealed.created,
        revision,
        "sealed",
        f"Part {sealed.part}: {sealed.rows:,} rows, {sealed.csv.size:,} bytes of CSV, {sealed.sealed.size:,} sealed, "
        f"{opened}, by attempt {sealed.attempt}.",
    )


@_of.register
def _(delivered: Delivered, revision: int, subject: _Subject) -> Iterator[Moment]:
    took = (delivered.created - delivered.began).total_seconds()
    late = delivered.created - subject.slot.window.end
    yield Moment(
        delivered.created,
        revision,
        "at the partner",
        f"{delivered.file_name}, {delivered.size:,} bytes in {took:.1f} s, confirmed by {delivered.confirmation}, "
        f"{spoken(late)} after the window's end, by attempt {delivered.attempt}.",
    )


@_of.register
def _(certificate: Certificate, revision: int, subject: _Subject) -> Iterator[Moment]:
    state = STATES[certificate.verdict]
    how = "" if certificate.counted is None else f", all columns {'read' if certificate.compared else 'not read yet'}"
    sentence = state.meaning if state.needs_attention else f"{certificate.rows_now:,} rows at the source{how}."
    lines = certificate.problems + ((f"{certificate.waiting}",) if certificate.waiting else ())
    yield Moment(certificate.created, revision, certificate.verdict, sentence, lines, is_bad=state.needs_attention)


def _returned(record: Returned) -> Moment:
    answers = record.answers and record.outcome != "failed"
    if record.error:
        kind = "rejected by partner" if answers else "error file"
    else:
        kind = "acknowledged" if answers and record.problem is None else "returned file"
    size = f"{record.size:,} bytes, signature {record.signature}"
    lines = [f"{rows(reason.rows)}: {reason.reason}" for reason in record.reasons or ()]
    lines += [record.problem] if record.problem else []
    lines += [f"archived as {kept.name}" for kept in (record.archived, record.opened) if kept is not None]
    return Moment(
        record.created, record.revision, kind, f"{record.file_name}, {size}.", tuple(lines), is_bad=record.error
    )


def spoken(duration: timedelta) -> str:
    """A duration as people say it: `12 min 15 s`, `2 h 5 min`."""
    seconds = max(int(duration.total_seconds()), 0)
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = ((hours, "h"), (minutes, "min"), (rest if not hours else 0, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
