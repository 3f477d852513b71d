"""What the records tell of deliveries, read for people: a slot's whole story, or the gist of many slots at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from pipeline.contracts.dataset import recognised
from pipeline.errors import RecordDamaged
from pipeline.records.folder import SlotFolder
from pipeline.records.schema import Certificate, Delivered, Failed, Plan, Rejected, Returned, Sealed
from pipeline.records.sentences import refusal
from pipeline.run import Run
from pipeline.streams import background
from pipeline.window import Slot, Window

READERS: Final = 8
"""Records that are read at a time: each is one small request, so that waiting is what takes long."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class History:
    """The records of a slot's latest revision; `damage` says which of them cannot be read.

    `broken` are the rules that refused rows break; `rejected` are the errors that the partner returned about parts as
    they were sent last. `arrived` is when an earlier revision was complete at the partner first.
    `revision` is 0 where nothing was planned; a certificate may be there all the same. Not `due` are hours outside the
    time that files are sent for: the contract's, and see Run.first_hour.
    """

    slot: Slot
    revision: int
    refused: bool = False
    plan: Plan | None = None
    sealed: tuple[Sealed, ...] = ()
    delivered: tuple[Delivered, ...] = ()
    certificate: Certificate | None = None
    damage: tuple[str, ...] = ()
    due: bool = True
    failure: Failed | None = None
    rejected: tuple[Rejected, ...] = ()
    broken: tuple[str, ...] = ()
    arrived: datetime | None = None


def histories(datasets: tuple[str, ...], window: Window, run: Run) -> list[History]:
    """The gist of every slot, dataset by dataset and hour by hour. Raises ArchiveUnavailable, OutOfTime."""
    folders = [folder for name in datasets for folder in run.records.folders(name, window).values()]
    first = {name: run.first_hour(name) for name in datasets}
    with background.pool("history", READERS) as readers:
        return list(readers.map(lambda one: history(one, run, first[one.slot.dataset]), folders))


def history(records: SlotFolder, run: Run, first: datetime | None = None) -> History:
    """The gist of one slot; `first` is the first hour that is shared. Raises ArchiveUnavailable, OutOfTime."""
    slot, folder = records.slot, records.latest
    damage: list[str] = []

    def readable(read: Callable[[], T]) -> T | None:
        try:
            return read()
        except RecordDamaged as error:
            damage.append(error.message)
            return None

    sealed = [readable(partial(folder.sealed, part)) for part in sorted(folder.sealed_parts)]
    delivered = [readable(partial(folder.deliveries, part)) for part in sorted(folder.delivered_parts)]
    latest = [records[-1] for records in delivered if records]
    rejected = [readable(partial(folder.rejections, one.part, one)) for one in latest]
    plan, refused = readable(folder.plan), readable(folder.refusal)
    contract = run.contracts.of(plan) if plan and refused else None
    earlier = (records.revision(number).completed_at for number in records.revisions[:-1])
    return History(
        slot=slot,
        revision=folder.delivery.revision,
        refused=folder.is_refused,
        plan=plan,
        sealed=tuple(record for record in sealed if record is not None),
        delivered=tuple(record for records in delivered for record in records or ()),
        broken=refusal(refused, contract) if refused and contract else (),
        rejected=tuple(record for records in rejected for record in records or ()),
        certificate=readable(folder.certificate),
        arrived=min((at for at in earlier if at is not None), default=None),
        failure=readable(folder.last_failure),
        damage=tuple(damage),
        due=run.dataset(slot.dataset).covers(slot.window) and (first is None or slot.window.start >= first),
    )


def returned_for(slot: Slot, run: Run) -> list[Returned]:
    """The files that the partner sent back about a slot, matched by their names."""
    contracts = tuple(run.contracts.every())

    def about(name: str) -> bool:
        found = recognised(name, contracts)
        return found is not None and (found[0].series, found[1].start) == (slot.dataset, slot.window.start)

    return run.records.returns().records(about)
