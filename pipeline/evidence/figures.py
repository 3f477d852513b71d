"""A period in figures and sentences for people who do not know the system: pure, from what was gathered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline.evidence.gathering import Gathered, Story
from pipeline.records.folder import Entry
from pipeline.records.schema import Certificate, Delivered, Failed, Plan, Record, Refused, Sealed
from pipeline.states import STATES, StateName
from pipeline.status.punctuality import Punctuality, punctuality
from pipeline.status.timeline import Moment, spoken, timeline
from pipeline.window import Window


@dataclass(frozen=True, slots=True)
class Account:
    """One dataset in the period: its hours, what was sent of it, and how it stands. `punctuality` None: no promise.

    Of its `hours`, so many are `proven` (nothing is left to do), `unfinished` (nobody need look at them, and they are
    not proven), and `open` (need attention). Files, rows and bytes are those of all revisions at the partner.
    """

    dataset: str
    hours: int
    proven: int
    unfinished: int
    open: int
    with_rows: int
    files: int
    rows: int
    csv_bytes: int
    sealed_bytes: int
    revisions: int
    refusals: int
    punctuality: Punctuality | None


@dataclass(frozen=True, slots=True)
class Incident:
    """Hours in a row of one dataset in which the same went wrong; `lines` and `done` are those of the first of them."""

    dataset: str
    window: Window
    kinds: tuple[str, ...]
    lines: tuple[str, ...]
    state: StateName
    done: str


@dataclass(frozen=True, slots=True)
class Revision:
    """A delivery whose content was made anew: when, of how many rows, and why."""

    dataset: str
    hour: datetime
    number: int
    at: datetime
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows that broke the contract, so that nothing of the delivery was sent."""

    dataset: str
    hour: datetime
    revision: int
    at: datetime
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """A key, an algorithm or a contract in use in the period: for so many deliveries, first and last."""

    what: str
    name: str
    times: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """A way in which attempts failed, and how many records say so; each names an hour in which it happened."""

    code: str
    records: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that the report says of the deliveries."""

    accounts: tuple[Account, ...]
    incidents: tuple[Incident, ...]
    revisions: tuple[Revision, ...]
    refusals: tuple[Refusal, ...]
    troubles: tuple[Trouble, ...]
    keys: tuple[Use, ...]
    contracts: tuple[Use, ...]
    unreadable: tuple[str, ...]


def figures(gathered: Gathered, now: datetime) -> Figures:
    """Work out the figures of a period, as they stand now."""
    stories = gathered.stories
    records = [entry.record for story in stories for entry in story.entries if entry.record is not None]
    failures = Counter(record.code for record in records if isinstance(record, Failed))
    return Figures(
        accounts=tuple(_account(name, gathered, now) for name in gathered.promises),
        incidents=tuple(_grouped(incident for story in stories for incident in _incidents(story, gathered))),
        revisions=tuple(revision for story in stories for revision in _revisions(story)),
        refusals=tuple(refusal for story in stories for refusal in _refusals(story)),
        troubles=tuple(Trouble(code, count) for code, count in sorted(failures.items())),
        keys=tuple(_uses((what, name, at) for record in records for what, name, at in _keys(record))),
        contracts=tuple(
            _uses((record.dataset, _contract(record), record.created) for record in records if isinstance(record, Plan))
        ),
        unreadable=(
            *gathered.unreadable,
            *(entry.damage for story in stories for entry in story.entries if entry.damage is not None),
        ),
    )


def _account(name: str, gathered: Gathered, now: datetime) -> Account:
    stories = [story for story in gathered.stories if story.cell.slot.dataset == name]
    cells = [story.cell for story in stories]
    sent = [sealed for story in stories for sealed in _sent(story)]
    promise = gathered.promises[name]
    open_ = sum(not cell.well for cell in cells)
    proven = sum(STATES[cell.state].colour == "green" for cell in cells)
    return Account(
        dataset=name,
        hours=len(cells),
        proven=proven,
        unfinished=len(cells) - proven - open_,
        open=open_,
        with_rows=sum(bool(cell.rows) for cell in cells),
        files=len(sent),
        rows=sum(sealed.rows for sealed in sent),
        csv_bytes=sum(sealed.csv.size for sealed in sent),
        sealed_bytes=sum(sealed.sealed.size for sealed in sent),
        revisions=sum(1 for story in stories for _ in _revisions(story)),
        refusals=sum(1 for story in stories for _ in _refusals(story)),
        punctuality=punctuality(name, promise, cells, now) if promise else None,
    )


def _sent(story: Story) -> list[Sealed]:
    """The sealed parts that are at the partner, of all revisions; each file has a name of its own."""
    names = {entry.record.file_name for entry in story.entries if isinstance(entry.record, Delivered)}
    sealed = [entry.record for entry in story.entries if isinstance(entry.record, Sealed)]
    return [record for record in sealed if record.file_name in names]


def _incidents(story: Story, gathered: Gathered) -> Iterator[Incident]:
    """What went wrong in an hour and what was done about it; nothing where all went well."""
    cell, slot = story.cell, story.cell.slot
    returned = [
        record for record in gathered.returned if record.dataset == slot.dataset and record.start == slot.window.start
    ]
    bad = [moment for moment in timeline(slot, story.entries, returned) if moment.is_bad]
    kinds = list(dict.fromkeys(moment.what for moment in bad))
    lines = list(dict.fromkeys(line for moment in bad for line in _said(moment)))
    promise = gathered.promises[slot.dataset]
    if promise is not None and cell.late is not None and cell.late > promise.within:
        kinds.append("late")
        lines.append(
            f"At the partner {spoken(cell.late)} after the hour's end; promised were {promise.minutes:g} minutes."
        )
    if not cell.well and cell.state not in kinds:
        kinds.append(cell.state)
        lines += [STATES[cell.state].meaning, *cell.problems]
    if kinds:
        yield Incident(slot.dataset, slot.window, tuple(kinds), tuple(lines), cell.state, _done(story))


def _said(moment: Moment) -> Iterator[str]:
    yield f"{moment.at:%Y-%m-%d %H:%M}, {moment.what}: {moment.sentence}"
    yield from moment.lines


def _done(story: Story) -> str:
    """What was done in the end, or what is left to do."""
    cell = story.cell
    if not cell.well:
        return f"Still open. {STATES[cell.state].action}"
    last = next((entry.record for entry in reversed(story.entries) if isinstance(entry.record, Delivered)), None)
    judged = next((entry.record for entry in reversed(story.entries) if isinstance(entry.record, Certificate)), None)
    words = [f"Sent as {last.file_name}, at the partner {last.created:%Y-%m-%d %H:%M}."] if last else []
    words += [f"Now {cell.state}" + (f", by the certificate of {judged.created:%Y-%m-%d %H:%M}." if judged else ".")]
    return " ".join(words)


def _grouped(incidents: Iterable[Incident]) -> Iterator[Incident]:
    """One incident for hours in a row in which the same kinds of things went wrong, and which stand alike."""
    last: Incident | None = None
    for incident in incidents:
        if last is not None and _goes_on(last, incident):
            last = replace(last, window=Window(last.window.start, incident.window.end))
            continue
        if last is not None:
            yield last
        last = incident
    if last is not None:
        yield last


def _goes_on(before: Incident, after: Incident) -> bool:
    same = (before.dataset, before.kinds, before.state) == (after.dataset, after.kinds, after.state)
    return same and before.window.end == after.window.start


def _revisions(story: Story) -> Iterator[Revision]:
    reason = ""
    for entry in story.entries:
        record = entry.record
        if isinstance(record, Plan) and record.revision > 1:
            why = reason or f"The message {record.cause} asked for it; no certificate before it says why."
            yield Revision(record.dataset, record.start, record.revision, record.created, record.rows, why)
            reason = ""
        elif record is not None:
            reason = _reason(entry, story) or reason


def _reason(entry: Entry, story: Story) -> str:
    """Why a revision that follows this record may have been made; nothing where it gives no reason."""
    moments = timeline(story.cell.slot, [entry], ()) if isinstance(entry.record, Refused | Certificate) else []
    return " ".join(
        (part if part.endswith(".") else f"{part}.")
        for moment in moments
        if moment.is_bad
        for part in (moment.sentence, *moment.lines)
    )


def _refusals(story: Story) -> Iterator[Refusal]:
    for entry in story.entries:
        if isinstance(entry.record, Refused):
            for moment in timeline(story.cell.slot, [entry], ()):
                slot = story.cell.slot
                yield Refusal(slot.dataset, slot.window.start, moment.revision or 0, moment.at, moment.lines)


def _keys(record: Record) -> Iterator[tuple[str, str, datetime]]:
    """Keys and algorithms that a record names."""
    if isinstance(record, Sealed):
        yield "encrypted to the partner's PGP key", record.recipient, record.created
        yield "signed by our PGP key", record.signer or "not signed", record.created
        for secret, version in sorted(record.keys.items()):
            yield f"secret {secret}", f"version {version}", record.created
    elif isinstance(record, Delivered):
        yield "SSH host key of the partner", record.host_key, record.created
        if record.protection is not None:
            given = record.protection
            quantum = "post-quantum" if given.post_quantum else "not post-quantum"
            yield "SSH connection", f"{given.kex} ({quantum}), {given.cipher}, {given.mac}", record.created


def _contract(plan: Plan) -> str:
    return f"{plan.contract}, SHA-256 {plan.contract_sha256 or 'not recorded'}"


def _uses(seen: Iterable[tuple[str, str, datetime]]) -> Iterator[Use]:
    found: dict[tuple[str, str], list[datetime]] = {}
    for what, name, at in seen:
        found.setdefault((what, name), []).append(at)
    for (what, name), times in sorted(found.items()):
        yield Use(what, name, len(times), min(times), max(times))
