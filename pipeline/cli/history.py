"""What the records tell of deliveries, read for people: a slot's whole story, or the gist of many slots at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from pipeline.errors import RecordDamaged
from pipeline.records.schema import Certificate, Delivered, Plan, Record, Refused, Returned, Sealed, Sending
from pipeline.records.store import Folder
from pipeline.run import Run
from pipeline.streams import background
from pipeline.window import Delivery, Slot, Window

READERS: Final = 8
"""Records that are read at a time: each is one small request, so that waiting is what takes long."""

KINDS: Final[dict[str, type[Record]]] = {
    "plan": Plan,
    "refused": Refused,
    "sealed": Sealed,
    "sending": Sending,
    "delivered": Delivered,
    "certificate": Certificate,
}

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class History:
    """The records of a slot's latest revision; `damage` says which of them cannot be read.

    `revision` is 0 where nothing was planned; a certificate may be there all the same.
    """

    slot: Slot
    revision: int
    refused: bool = False
    plan: Plan | None = None
    sealed: tuple[Sealed, ...] = ()
    delivered: tuple[Delivered, ...] = ()
    certificate: Certificate | None = None
    damage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a slot under its name, `r1/sealed-1`; `damage` stands where it cannot be read."""

    name: str
    record: Record | None
    damage: str | None = None


def histories(datasets: tuple[str, ...], window: Window, run: Run) -> list[History]:
    """The gist of every slot, dataset by dataset and hour by hour. Raises ArchiveUnavailable, OutOfTime."""
    found = [folder for name in datasets for folder in run.records.folders(name, window).values()]
    with background.pool("history", READERS) as readers:
        return list(readers.map(lambda folder: history(folder, run), found))


def history(folder: Folder, run: Run) -> History:
    """The gist of one slot. Raises ArchiveUnavailable, OutOfTime."""
    revision = folder.revisions[-1] if folder.revisions else 0
    delivery = Delivery(folder.slot, revision)
    damage: list[str] = []

    def read(name: str, kind: type[R]) -> R | None:
        try:
            return run.records.read(delivery, name, kind)
        except RecordDamaged as error:
            damage.append(error.message)
            return None

    def every(kind: type[R]) -> tuple[R, ...]:
        name = kind.__name__.lower()
        found = (read("-".join((name, *map(str, numbers))), kind) for numbers in folder.numbers(revision, name))
        return tuple(one for one in found if one is not None)

    last = max(folder.numbers(revision, "certificate"), default=None)
    return History(
        slot=folder.slot,
        revision=revision,
        refused=folder.has(revision, "refused"),
        plan=read("plan", Plan) if revision else None,
        sealed=every(Sealed),
        delivered=every(Delivered),
        certificate=read(f"certificate-{last[0]}", Certificate) if last else None,
        damage=tuple(damage),
    )


def story(slot: Slot, run: Run) -> list[Entry]:
    """Every record of a slot, of all revisions, in the order in which they came to be; damaged ones at the end."""
    entries = [_entry(slot, name, run) for name in sorted(run.records.folder(slot).names)]
    readable = [(entry.record.created, number, entry) for number, entry in enumerate(entries) if entry.record]
    return [*(entry for _, _, entry in sorted(readable)), *(entry for entry in entries if entry.record is None)]


def returned_for(slot: Slot, run: Run) -> list[Returned]:
    """The files that the partner sent back about a slot, matched by their names."""
    dataset = run.dataset(slot.dataset)

    def about(name: str) -> bool:
        found = dataset.recognise(name)
        return found is not None and found[0] == slot.window.start

    return run.records.all_returned(about)


def _entry(slot: Slot, name: str, run: Run) -> Entry:
    revision, _, record = name.partition("/")
    kind = KINDS.get(record.partition("-")[0])
    if kind is None or not revision[1:].isdigit():
        return Entry(name, None, "This is no record of the pipeline.")
    try:
        return Entry(name, run.records.read(Delivery(slot, int(revision[1:])), record, kind))
    except RecordDamaged as error:
        return Entry(name, None, error.message)
