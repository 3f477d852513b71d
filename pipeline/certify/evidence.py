"""Evidence about what happened to a window: gathered from source, records, archive and partner, independently.

Nothing here believes a record: the source is counted anew, the archive is asked what it holds, the partner is asked
what it lists. The delivery's own state is read only to be compared with these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.certify.verdict import Evidence
from pipeline.clients.counts import HourCount
from pipeline.clients.storage import StoredObject
from pipeline.contracts.dataset import Dataset
from pipeline.errors import ArchiveDamaged, RecordDamaged
from pipeline.records.schema import Certificate, Change, Delivered, Plan, Sealed
from pipeline.records.store import Folder, SlotFolder
from pipeline.run import Run
from pipeline.window import Slot


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What one look at each outside system showed, for many slots at once.

    `hours` counts every hour of the window by the contract that a delivery belongs to; `partner` is the listing of the
    partner by name and size, None where it is closed to us; `complete_until` the dataset's watermark; `now` the
    warehouse's clock.
    """

    hours: Callable[[Dataset], dict[datetime, HourCount]]
    archive: dict[str, StoredObject]
    partner: dict[str, int] | None
    complete_until: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Gathered:
    """The evidence about one slot, and what of it a certificate names."""

    evidence: Evidence
    folder: Folder
    plan: Plan | None
    now: HourCount
    files: tuple[str, ...]
    previous: Certificate | None


def gather(records: SlotFolder, around: Surroundings, run: Run, *, full: bool) -> Gathered:
    """Everything there is to know of one slot. Raises SourceUnavailable, ArchiveUnavailable, OutOfTime."""
    slot, folder = records.slot, records.latest
    plan, contract, damage = _planned(folder, run)
    now = around.hours(contract).get(slot.window.start, HourCount(0, "0"))
    ready = around.complete_until is not None and around.complete_until >= slot.window.end
    previous = _previous(folder)
    if not records.revisions:
        lost = ("the plan is gone, other records are there",) if records.lacks_its_plan else ()
        return Gathered(Evidence(ready, False, now.rows, records=lost), folder, None, now, (), previous)
    try:
        if damage is not None:
            raise damage
        sealed = {part: record for part in folder.sealed_parts if (record := folder.sealed(part)) is not None}
        delivered = {part: folder.deliveries(part)[-1] for part in folder.delivered_parts}
    except RecordDamaged as damage:
        evidence = Evidence(ready, True, now.rows, records=(damage.message,))
        return Gathered(evidence, folder, None, now, (), previous)
    if plan is None:
        evidence = Evidence(ready, True, now.rows, records=("the plan was listed and is gone",))
        return Gathered(evidence, folder, None, now, (), previous)
    archived = [stored for record in sealed.values() for stored in (record.csv, record.sealed)]
    evidence = Evidence(
        ready=ready,
        planned=True,
        rows_now=now.rows,
        rows_planned=plan.rows,
        refused=folder.is_refused,
        undelivered=tuple(part.part for part in plan.parts if part.part not in delivered),
        change=_change(slot, plan, now, previous, around, run),
        records=_contradictions(plan, sealed, delivered),
        archive=_differing(archived, around, run, full=full),
        partner=_altered(delivered, around),
        unconfirmed=_unproven(delivered, around, run),
    )
    return Gathered(evidence, folder, plan, now, tuple(record.file_name for record in delivered.values()), previous)


def _planned(folder: Folder, run: Run) -> tuple[Plan | None, Dataset, RecordDamaged | None]:
    """The plan, the contract that it follows (without a plan the deployed one), and why one of them cannot be read."""
    deployed = run.dataset(folder.delivery.slot.dataset)
    try:
        plan = folder.plan()
        return plan, run.contracts.of(plan) if plan else deployed, None
    except RecordDamaged as damage:
        return None, deployed, damage


def _previous(folder: Folder) -> Certificate | None:
    """The latest certificate, where it can be read."""
    try:
        return folder.certificate()
    except RecordDamaged:
        return None


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


def _change(
    slot: Slot, plan: Plan, now: HourCount, previous: Certificate | None, around: Surroundings, run: Run
) -> Change:
    """How the rows differ from those planned: nothing where rows and hashes are the same, else row by row."""
    if (now.rows, now.fingerprint) == (plan.rows, plan.fingerprint):
        return Change()
    if previous is not None and previous.fingerprint_now == now.fingerprint and previous.rows_now == now.rows:
        return previous.change
    if plan.snapshot < around.now - timedelta(hours=run.settings.time_travel_hours):
        more = now.rows - plan.rows
        return Change(added=max(more, 0), moved=max(-more, 0), altered=1 if more == 0 else 0)
    dataset = run.contracts.of(plan)
    then = run.source.hashes(dataset, slot.window, plan.snapshot)
    today = run.source.hashes(dataset, slot.window, around.now)
    gone = then.keys() - today.keys()
    moved = run.source.moved_on(dataset, slot.window, gone) if gone else 0
    return Change(
        added=len(today.keys() - then.keys()),
        altered=sum(1 for key in today.keys() & then.keys() if today[key] != then[key]),
        moved=moved,
        deleted=len(gone) - moved,
    )


def _differing(archived: list[StoredObject], around: Surroundings, run: Run, *, full: bool) -> tuple[str, ...]:
    """The archived objects that are not as recorded; with `full`, every byte of them is read."""
    problems = []
    for recorded in archived:
        described = around.archive.get(recorded.name)
        if not recorded.is_still(described):
            problems.append(f"{recorded.name} is {'another object' if described else 'gone'}")
        elif full and not _reads_as_recorded(recorded, run):
            problems.append(f"{recorded.name} reads with another SHA-256")
    return tuple(problems)


def _reads_as_recorded(recorded: StoredObject, run: Run) -> bool:
    try:
        return run.archive.sha256(recorded) == recorded.sha256
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
