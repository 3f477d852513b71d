"""Evidence about what happened to a window: gathered from source, records, archive and partner, independently.

Nothing here believes a record: the source is counted anew, the archive is asked what it holds, the partner is asked
what it lists. The delivery's own state is read only to be compared with these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.certify.verdict import Change, Evidence
from pipeline.clients.counts import Hour
from pipeline.clients.storage import Stored
from pipeline.errors import ArchiveDamaged, RecordDamaged
from pipeline.records.schema import Archived, Certificate, Delivered, Plan, Sealed
from pipeline.records.store import Folder
from pipeline.run import Run
from pipeline.window import Delivery, Slot


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What one look at each outside system showed, for many slots at once.

    `partner` is the listing of the partner by name and size, None where it is closed to us; `complete_until` the
    dataset's watermark; `now` the warehouse's clock.
    """

    hours: dict[datetime, Hour]
    archive: dict[str, Stored]
    partner: dict[str, int] | None
    complete_until: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """The evidence, and what of it a certificate names."""

    evidence: Evidence
    delivery: Delivery
    plan: Plan | None
    now: Hour
    files: tuple[str, ...]
    previous: Certificate | None
    certificates: int


def gather(slot: Slot, folder: Folder, around: Surroundings, run: Run, *, full: bool) -> Found:
    """Everything there is to know of one slot. Raises SourceUnavailable, ArchiveUnavailable, OutOfTime."""
    now = around.hours.get(slot.window.start, Hour(0, "0"))
    ready = around.complete_until is not None and around.complete_until >= slot.window.end
    if not folder.revisions:
        lost = ("the plan is gone, other records are there",) if folder.names - _certificates(folder) else ()
        delivery = Delivery(slot, 0)
        previous, last = _latest_certificate(folder, delivery, run)
        return Found(Evidence(ready, False, now.rows, records=lost), delivery, None, now, (), previous, last)
    delivery = Delivery(slot, folder.revisions[-1])
    previous, last = _latest_certificate(folder, delivery, run)
    try:
        plan = run.records.read(delivery, "plan", Plan)
        sealed, delivered = _parts(folder, delivery, run)
    except RecordDamaged as damage:
        evidence = Evidence(ready, True, now.rows, records=(damage.message,))
        return Found(evidence, delivery, None, now, (), previous, last)
    if plan is None:
        evidence = Evidence(ready, True, now.rows, records=("the plan was listed and is gone",))
        return Found(evidence, delivery, None, now, (), previous, last)
    archived = [archived for one in sealed.values() for archived in (one.csv, one.sealed)]
    evidence = Evidence(
        ready=ready,
        planned=True,
        rows_now=now.rows,
        rows_planned=plan.rows,
        refused=folder.has(delivery.revision, "refused"),
        undelivered=tuple(part.part for part in plan.parts if part.part not in delivered),
        change=_change(slot, plan, now, previous, around, run),
        records=_contradictions(plan, sealed, delivered),
        archive=_differing(archived, around, run, full=full),
        partner=_altered(delivered, around),
        unconfirmed=_unproven(delivered, around, run),
    )
    return Found(evidence, delivery, plan, now, tuple(one.file_name for one in delivered.values()), previous, last)


def _certificates(folder: Folder) -> frozenset[str]:
    return frozenset(name for name in folder.names if name.split("/")[-1].startswith("certificate-"))


def _latest_certificate(folder: Folder, delivery: Delivery, run: Run) -> tuple[Certificate | None, int]:
    """The latest certificate that can be read, and the highest number of any."""
    last = max((number for (number,) in folder.numbers(delivery.revision, "certificate")), default=0)
    try:
        return (run.records.read(delivery, f"certificate-{last}", Certificate) if last else None), last
    except RecordDamaged:
        return None, last


def _parts(folder: Folder, delivery: Delivery, run: Run) -> tuple[dict[int, Sealed], dict[int, Delivered]]:
    """The `sealed` record of each part, and the latest `delivered` one."""
    sealed: dict[int, Sealed] = {}
    delivered: dict[int, Delivered] = {}
    for (part,) in folder.numbers(delivery.revision, "sealed"):
        if (one := run.records.read(delivery, f"sealed-{part}", Sealed)) is not None:
            sealed[part] = one
    for part, number in folder.numbers(delivery.revision, "delivered"):
        if (other := run.records.read(delivery, f"delivered-{part}-{number}", Delivered)) is not None:
            delivered[part] = other
    return sealed, delivered


def _contradictions(plan: Plan, sealed: dict[int, Sealed], delivered: dict[int, Delivered]) -> tuple[str, ...]:
    """Where the records of one delivery contradict each other."""
    found = [f"part {part} is delivered and has no sealed record" for part in delivered if part not in sealed]
    for part, one in sealed.items():
        planned = plan.part(part)
        if planned is None or planned.rows != one.rows:
            found.append(f"part {part} was sealed with {one.rows} rows, planned with {planned.rows if planned else 0}")
        if part in delivered and delivered[part].sha256 != one.sealed.sha256:
            found.append(f"part {part} was delivered with another SHA-256 than it was sealed with")
    if sum(part.rows for part in plan.parts) != plan.rows:
        found.append(f"the parts add up to {sum(part.rows for part in plan.parts)} rows, the plan says {plan.rows}")
    return tuple(found)


def _change(slot: Slot, plan: Plan, now: Hour, previous: Certificate | None, around: Surroundings, run: Run) -> Change:
    """How the rows differ from those planned: nothing where rows and hashes are the same, else row by row."""
    if (now.rows, now.fingerprint) == (plan.rows, _fingerprint(plan)):
        return Change()
    if previous is not None and previous.fingerprint_now == now.fingerprint and previous.rows_now == now.rows:
        return Change(**previous.change.model_dump())
    if plan.snapshot < around.now - timedelta(hours=run.settings.time_travel_hours):
        more = now.rows - plan.rows
        return Change(added=max(more, 0), moved=max(-more, 0), altered=1 if more == 0 else 0)
    dataset = run.dataset(slot.dataset)
    then = run.source.hashes(dataset, slot.window, plan.snapshot, run.budget)
    today = run.source.hashes(dataset, slot.window, around.now, run.budget)
    gone = then.keys() - today.keys()
    moved = run.source.moved_on(dataset, slot.window, gone, run.budget) if gone else 0
    return Change(
        added=len(today.keys() - then.keys()),
        altered=sum(1 for key in today.keys() & then.keys() if today[key] != then[key]),
        moved=moved,
        deleted=len(gone) - moved,
    )


def _fingerprint(plan: Plan) -> str:
    return str(sum(int(part.fingerprint) for part in plan.parts))


def _differing(archived: list[Archived], around: Surroundings, run: Run, *, full: bool) -> tuple[str, ...]:
    """The archived objects that are not as recorded; with `full`, every byte of them is read."""
    found = []
    for one in archived:
        stored = around.archive.get(one.name)
        if not one.describes(stored):
            found.append(f"{one.name} is {'another object' if stored else 'gone'}")
        elif full and not _reads_as_recorded(one, run):
            found.append(f"{one.name} reads with another SHA-256")
    return tuple(found)


def _reads_as_recorded(archived: Archived, run: Run) -> bool:
    try:
        return run.archive.sha256(archived.stored) == archived.sha256
    except ArchiveDamaged:
        return False


def _altered(delivered: dict[int, Delivered], around: Surroundings) -> tuple[str, ...]:
    """Files at the partner with another size than was sent."""
    listed = around.partner or {}
    return tuple(one.file_name for one in delivered.values() if listed.get(one.file_name, one.size) != one.size)


def _unproven(delivered: dict[int, Delivered], around: Surroundings, run: Run) -> tuple[str, ...]:
    """Files whose arrival nothing proves: not listed now, and neither confirmed then nor known to be collected."""
    found = []
    for one in delivered.values():
        listed = around.partner is not None and one.file_name in around.partner
        confirmed = one.confirmation == "size" and (around.partner is None or run.settings.sftp_collects)
        collected = one.confirmation == "already collected" and run.settings.sftp_collects
        if not (listed or confirmed or collected):
            found.append(one.file_name)
    return tuple(found)
