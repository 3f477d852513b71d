"""Evidence about what happened to a window: gathered from source, records, archive and partner, independently.

Nothing here believes a record: the source is counted anew, the archive is asked what it holds, the partner is asked
what it lists. The delivery's own state is read only to be compared with these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from pipeline.certify.earlier import Earlier, earlier
from pipeline.certify.partner import Shown, state_of
from pipeline.certify.recount import Recount
from pipeline.certify.verdict import Evidence, Superseded
from pipeline.clients.storage import StoredObject
from pipeline.contracts.dataset import Dataset
from pipeline.errors import ArchiveDamaged, RecordDamaged
from pipeline.records.folder import Folder, SlotFolder
from pipeline.records.schema import Certificate, Delivered, Failed, FileState, Plan, Rejected, Sealed
from pipeline.records.sentences import refusal, rejection
from pipeline.run import Run
from pipeline.window import HOUR, Slot

R = TypeVar("R")

_ALTERED: Final = "another size"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The records of a slot's latest revision, read; `lost` says which of them cannot be, or are gone.

    `contract` is the one that the delivery belongs to; without a plan, the deployed one. `rejected` are the errors
    that the partner returned about parts as they were sent last. `earlier` are parts of the revisions before, `broken`
    the rules that refused rows break.
    """

    slot: Slot
    folder: Folder
    contract: Dataset
    previous: Certificate | None
    plan: Plan | None = None
    sealed: Mapping[int, Sealed] | None = None
    deliveries: Mapping[int, list[Delivered]] | None = None
    failure: Failed | None = None
    lost: tuple[str, ...] = ()
    rejected: Mapping[int, list[Rejected]] = field(default_factory=dict)
    earlier: tuple[Earlier, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def latest(self) -> Mapping[int, Delivered]:
        """The last delivery of each part."""
        return {part: deliveries[-1] for part, deliveries in (self.deliveries or {}).items()}

    @property
    def files(self) -> tuple[str, ...]:
        """The names that the partner should show."""
        return tuple(one.file_name for one in self.latest.values())

    @property
    def every_file(self) -> tuple[str, ...]:
        """The names that the partner is asked for."""
        return (*self.files, *(one.file_name for one in self.earlier))

    @property
    def undelivered(self) -> tuple[int, ...]:
        """The planned parts that no record says are delivered."""
        return tuple(part.part for part in self.plan.parts if part.part not in self.latest) if self.plan else ()


def read(records: SlotFolder, run: Run) -> Recorded:
    """The records of a slot. Raises ArchiveUnavailable, ContractInvalid, OutOfTime."""
    slot, folder = records.slot, records.latest
    contract = run.dataset(slot.dataset)
    previous, failure = _readable(folder.certificate), _readable(folder.last_failure)
    if not records.revisions:
        lost = ("the plan is gone, other records are there",) if records.lacks_its_plan else ()
        return Recorded(slot, folder, contract, previous, failure=failure, lost=lost)
    try:
        plan = folder.plan()
        contract = run.contracts.of(plan) if plan else contract
        sealed = {part: record for part in folder.sealed_parts if (record := folder.sealed(part)) is not None}
        deliveries = {part: folder.deliveries(part) for part in sorted(folder.delivered_parts)}
        rejected = {part: folder.rejections(part, sent[-1]) for part, sent in deliveries.items()}
        superseded, refused = earlier(records), folder.refusal()
    except RecordDamaged as damage:
        return Recorded(slot, folder, contract, previous, failure=failure, lost=(damage.message,))
    lost = () if plan else ("the plan was listed and is gone",)
    broken = refusal(refused, contract) if refused else ()
    found = Recorded(slot, folder, contract, previous, plan, sealed, deliveries, failure, lost)
    return replace(found, rejected=rejected, earlier=superseded, broken=broken)


def evidence(
    recorded: Recorded,
    recount: Recount,
    archive: Mapping[str, StoredObject],
    shown: Shown,
    run: Run,
    *,
    full: bool,
) -> tuple[Evidence, dict[str, FileState]]:
    """Everything there is to know of one slot, and what is known of each of its files at the partner.

    `archive` is what the archive lists by name; with `full`, every byte of the slot's objects is read. Raises
    ArchiveUnavailable, OutOfTime.
    """
    slot, plan = recorded.slot, recorded.plan
    if plan is None:
        bare = Evidence(
            ready=recount.ready,
            planned=bool(recorded.lost),
            rows_now=recount.rows,
            empty_file=recorded.contract.empty_file,
            records=recorded.lost,
        )
        return bare, {}
    folder, latest = recorded.folder, recorded.latest
    states = {part: _state(part, one, recorded, shown, run) for part, one in latest.items()}
    archived = [stored for one in (recorded.sealed or {}).values() for stored in (one.csv, one.sealed)]
    whole = Evidence(
        ready=recount.ready,
        planned=True,
        rows_now=recount.rows,
        rows_planned=plan.rows,
        refused=folder.is_refused,
        undelivered=recorded.undelivered,
        stalled=run.now() >= max(plan.created, slot.window.end) + HOUR,
        change=recount.change,
        records=_contradictions(plan, recorded.sealed or {}, latest),
        archive=_differing(archived, archive, run, full=full),
        altered=tuple(_altered(one, shown) for part, one in latest.items() if states[part] == _ALTERED),
        gone=tuple(_gone(one) for part, one in latest.items() if states[part] == "gone"),
        open_attempts=tuple(
            _open(deliveries[-1].file_name, attempt)
            for part, deliveries in (recorded.deliveries or {}).items()
            for attempt in folder.open_attempts(part, deliveries)
        ),
        superseded=tuple(
            fault
            for one in recorded.earlier
            for fault in (
                *([Superseded(one.revision, True, _altered(one, shown))] if one.differs(shown) else []),
                *(Superseded(one.revision, False, _open(one.file_name, attempt)) for attempt in one.open_attempts),
            )
        ),
        unproven=tuple(
            f"nothing proves that {one.file_name} arrived" for part, one in latest.items() if states[part] == "unproven"
        ),
        rejected=tuple(
            rejection(latest[part].file_name, errors[0]) for part, errors in recorded.rejected.items() if errors
        ),
        acknowledged=all(folder.is_acknowledged(part, one) for part, one in latest.items()),
    )
    return whole, {latest[part].file_name: state for part, state in states.items()}


def _readable(read: Callable[[], R | None]) -> R | None:
    try:
        return read()
    except RecordDamaged:
        return None


def _state(part: int, one: Delivered, recorded: Recorded, shown: Shown, run: Run) -> FileState:
    folder, previous = recorded.folder, recorded.previous
    certified_at, delivered_at = folder.certified_at, folder.delivered_at(part)
    last = None
    if previous is not None and certified_at is not None and delivered_at is not None and certified_at > delivered_at:
        last = previous.at_partner.get(one.file_name)
    return state_of(one, shown, last, collects=run.settings.sftp_collects)


def _open(file_name: str, attempt: str) -> str:
    return f"an upload of {file_name} broke off (attempt {attempt}); half of it may still appear there"


def _altered(one: Delivered | Earlier, shown: Shown) -> str:
    listed = shown.sizes.get(one.file_name)
    figures = f": {listed} bytes, {one.size} were sent" if listed is not None else ""
    return f"{one.file_name} has another size at the partner{figures}"


def _gone(one: Delivered) -> str:
    sent = f"{one.created:%Y-%m-%d %H:%M}"
    if one.confirmation == "size":
        return f"{one.file_name} was there at {sent}, size confirmed; it is no longer there"
    return f"{one.file_name} was sent at {sent}; it is not there"


def _contradictions(plan: Plan, sealed: Mapping[int, Sealed], delivered: Mapping[int, Delivered]) -> tuple[str, ...]:
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


def _differing(
    archived: list[StoredObject], listed: Mapping[str, StoredObject], run: Run, *, full: bool
) -> tuple[str, ...]:
    """The archived objects that are not as recorded; with `full`, every byte of them is read."""
    problems = []
    for recorded in archived:
        described = listed.get(recorded.name)
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
