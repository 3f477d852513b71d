"""Create-only records: what was planned, refused, sealed, sent and proven, a JSON object each, never changed.

The first to create a record wins; whoever loses reads the winner's and goes on from there. So duplicates, retries and
overlapping runs need no lock. Each record carries its own SHA-256: one that was altered is noticed when it is read.
Only this module spells a record's name or path, or takes one apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from pipeline.clients.storage import Bucket, StoredObject
from pipeline.contracts.dataset import Dataset
from pipeline.errors import ArchiveUnavailable, RecordDamaged
from pipeline.records.envelope import parsed, written
from pipeline.records.reading import stored
from pipeline.records.returns import ReturnsFolder, returns_folder
from pipeline.records.schema import (
    Answer,
    Certificate,
    Delivered,
    Plan,
    Record,
    Refused,
    Sealed,
    Sending,
)
from pipeline.window import Delivery, Slot, Window

DELIVERIES: Final = "deliveries"
CONTRACTS: Final = "contracts"
STATUS: Final = "status"
ANSWERS: Final = "answers"
KINDS: Final[dict[str, type[Record]]] = {
    kind.__name__.lower(): kind for kind in (Plan, Refused, Sealed, Sending, Delivered, Certificate)
}
"""Kinds of record that a delivery has, by the word that their names begin with."""

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a slot under its name, `r1/sealed-1`; `damage` says why it cannot be read."""

    name: str
    record: Record | None
    damage: str | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """The records of one delivery, as one listing saw them.

    Reads give what was listed then, creates what holds now: ours, or the record of a concurrent attempt that was
    first. All raise ArchiveUnavailable, RecordDamaged, OutOfTime.
    """

    delivery: Delivery
    names: frozenset[str]
    _bucket: Bucket = field(repr=False)

    def plan(self) -> Plan | None:
        """The plan; None where there is none."""
        return self._read("plan", Plan) if "plan" in self.names else None

    def create_plan(self, plan: Plan) -> Plan:
        """The plan that holds: this one, or that of an attempt which was first."""
        return self._create("plan", plan)[0]

    def refusal(self) -> Refused | None:
        """Why the rows were refused; None where they were not."""
        return self._read("refused", Refused) if self.is_refused else None

    @property
    def is_refused(self) -> bool:
        """Whether the rows were refused."""
        return "refused" in self.names

    def refuse(self, record: Refused) -> None:
        """Record that the rows were refused; nothing where another attempt has done so."""
        self._create("refused", record)

    @property
    def sealed_parts(self) -> frozenset[int]:
        """The parts that are sealed."""
        return frozenset(number for (number,) in self._numbers("sealed"))

    def sealed(self, part: int) -> Sealed | None:
        """The sealed part; None where it is not sealed."""
        return self._read(f"sealed-{part}", Sealed) if part in self.sealed_parts else None

    def create_sealed(self, record: Sealed) -> Sealed:
        """The sealed part that holds: this one, or that of an attempt which was first."""
        return self._create(f"sealed-{record.part}", record)[0]

    def attempts(self, part: int) -> list[str]:
        """The attempts at uploading the part that were announced."""
        prefix = f"sending-{part}-"
        return sorted(name.removeprefix(prefix) for name in self.names if name.startswith(prefix))

    def announcement(self, part: int, attempt: str) -> Sending | None:
        """The record that an attempt made before it began to upload."""
        return self._read(f"sending-{part}-{attempt}", Sending)

    def announce(self, record: Sending) -> None:
        """Record that an attempt is about to upload."""
        self._create(f"sending-{record.part}-{record.attempt}", record)

    @property
    def delivered_parts(self) -> frozenset[int]:
        """The parts that are at the partner."""
        return frozenset(part for part, _ in self._numbers("delivered"))

    def deliveries(self, part: int) -> list[Delivered]:
        """Every delivery of the part, in the order in which they were recorded."""
        numbers = [number for of, number in self._numbers("delivered") if of == part]
        return [self._present(f"delivered-{part}-{number}", Delivered) for number in numbers]

    def add_delivered(self, record: Delivered) -> None:
        """Record a delivery under the next free number."""
        numbers = [number for part, number in self._numbers("delivered") if part == record.part]
        self._append(f"delivered-{record.part}", record, max(numbers, default=0))

    @property
    def has_certificate(self) -> bool:
        """Whether certify has judged the delivery."""
        return bool(self._numbers("certificate"))

    def certificate(self) -> Certificate | None:
        """The latest certificate; None where there is none."""
        numbers = self._numbers("certificate")
        return self._read(f"certificate-{numbers[-1][0]}", Certificate) if numbers else None

    def add_certificate(self, record: Certificate) -> None:
        """Record a certificate under the next free number."""
        self._append("certificate", record, max((number for (number,) in self._numbers("certificate")), default=0))

    def _numbers(self, kind: str) -> list[tuple[int, ...]]:
        """The numbers in the names of one kind: `delivered` of part 2, third time, is (2, 3)."""
        pattern = re.compile(rf"{kind}((?:-\d+)+)")
        matches = (pattern.fullmatch(name) for name in self.names)
        return sorted(tuple(int(number) for number in match[1].split("-")[1:]) for match in matches if match)

    def _present(self, name: str, kind: type[R]) -> R:
        record = self._read(name, kind)
        if record is None:
            raise ArchiveUnavailable(f"The record {name} of {self.delivery} was listed and is gone.")
        return record

    def _read(self, name: str, kind: type[R]) -> R | None:
        return stored(self._bucket, self._path(name), kind, listed=name in self.names)

    def _create(self, name: str, record: R) -> tuple[R, bool]:
        """The record that holds from now on under that name, and whether it is the one given."""
        path, content = self._path(name), written(record)
        if self._bucket.create(path, content):
            return record, True
        winner = stored(self._bucket, path, type(record))
        if winner is None:
            raise ArchiveUnavailable(f"The record {path} exists and cannot be read.")
        return winner, False

    def _append(self, name: str, record: Record, last: int) -> None:
        created = False
        while not created:
            last += 1
            _, created = self._create(f"{name}-{last}", record)

    def _path(self, name: str) -> str:
        return f"{DELIVERIES}/{self.delivery.folder}/{name}.json"


@dataclass(frozen=True, slots=True)
class SlotFolder:
    """The records of one slot, of all its revisions, as one listing saw them."""

    slot: Slot
    names: frozenset[str]
    _bucket: Bucket = field(repr=False)

    @property
    def revisions(self) -> list[int]:
        """Revisions that have a plan, in order."""
        matches = (re.fullmatch(r"r(\d+)/plan", name) for name in self.names)
        return sorted(int(match[1]) for match in matches if match)

    @property
    def latest(self) -> Folder:
        """The records of the latest revision; of revision 0 where nothing is planned, which may have certificates."""
        return self.revision(self.revisions[-1] if self.revisions else 0)

    @property
    def lacks_its_plan(self) -> bool:
        """No revision has a plan, and there are records that only a planned delivery has."""
        certificates = re.compile(r"r\d+/certificate-\d+")
        return not self.revisions and not all(certificates.fullmatch(name) for name in self.names)

    def revision(self, revision: int) -> Folder:
        """The records of one revision."""
        prefix = f"r{revision}/"
        names = frozenset(name.removeprefix(prefix) for name in self.names if name.startswith(prefix))
        return Folder(Delivery(self.slot, revision), names, self._bucket)

    def kinds_since(self, earlier: SlotFolder) -> set[str]:
        """The kinds of record, such as `sealed`, that this listing has more than an earlier one."""
        return {_kind(name) for name in self.names - earlier.names}

    def entries(self) -> list[Entry]:
        """Every record of all revisions, in the order in which they came to be; damaged ones at the end."""
        entries = [self._entry(name) for name in sorted(self.names)]
        readable = [(entry.record.created, number, entry) for number, entry in enumerate(entries) if entry.record]
        return [*(entry for *_, entry in sorted(readable)), *(entry for entry in entries if entry.record is None)]

    def _entry(self, name: str) -> Entry:
        kind, revision = KINDS.get(_kind(name)), re.match(r"r(\d+)/", name)
        if kind is None or revision is None:
            return Entry(name, None, "This is no record of the pipeline.")
        try:
            return Entry(name, self.revision(int(revision[1]))._read(name.partition("/")[2], kind))
        except RecordDamaged as error:
            return Entry(name, None, error.message)


class Records:
    """The records bucket, within the budget of one run."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def folder(self, slot: Slot) -> SlotFolder:
        """The records of a slot, from one listing. Raises ArchiveUnavailable."""
        prefix = f"{DELIVERIES}/{slot.folder}/"
        names = self._bucket.names(prefix)
        return SlotFolder(slot, frozenset(_bare(name, prefix) for name in names), self._bucket)

    def folders(self, dataset: str, window: Window) -> dict[Slot, SlotFolder]:
        """The folders of every hour of a long window, from one listing a day. Raises ArchiveUnavailable."""
        days = sorted({hour.start.date() for hour in window.hours()})
        names = [name for day in days for name in self._bucket.names(f"{DELIVERIES}/{dataset}/{day:%Y/%m/%d}/")]
        by_folder: dict[str, set[str]] = {}
        for name in names:
            folder, revision, record = _bare(name, f"{DELIVERIES}/").rsplit("/", 2)
            by_folder.setdefault(folder, set()).add(f"{revision}/{record}")
        slots = [Slot(dataset, hour) for hour in window.hours()]
        return {slot: SlotFolder(slot, frozenset(by_folder.get(slot.folder, ())), self._bucket) for slot in slots}

    def archived(self, name: str) -> StoredObject | None:
        """What a sealed record says of an archived object; None where no record names it.

        Raises ArchiveUnavailable, RecordDamaged.
        """
        delivery = Delivery.of_path(name)
        folder = self.folder(delivery.slot).revision(delivery.revision) if delivery else None
        for part in folder.sealed_parts if folder else ():
            record = folder.sealed(part) if folder else None
            for described in (record.csv, record.sealed) if record else ():
                if described.name == name:
                    return described
        return None

    def contract(self, dataset: str, version: str) -> str | None:
        """The archived text of a contract; None where that version was never used. Raises ArchiveUnavailable."""
        content = self._bucket.read(_contract_path(dataset, version))
        return None if content is None else content.decode(errors="replace")

    def keep_contract(self, contract: Dataset) -> bool:
        """Archive the contract's text under its version; False where one is archived, this or another."""
        return self._bucket.create(_contract_path(contract.name, contract.version), contract.text.encode())

    def contract_versions(self) -> list[tuple[str, str]]:
        """Dataset and version of every contract that was ever used. Raises ArchiveUnavailable."""
        paths = (path.split("/") for path in self._bucket.names(f"{CONTRACTS}/"))
        return [(path[1], path[2].removesuffix(".yaml")) for path in paths]

    def returns(self) -> ReturnsFolder:
        """What is recorded of returned files, by one listing. Raises ArchiveUnavailable."""
        return returns_folder(self._bucket)

    def add_page(self, hour: datetime, html: str) -> str | None:
        """Keep the page of all deliveries that was made in an hour; its name, None where one was made before."""
        path = f"{STATUS}/{hour:%Y/%m/%d/%H%M}.html"
        return path if self._bucket.create(path, html.encode(), "text/html; charset=utf-8") else None

    def answer(self, cause: str) -> Answer | None:
        """What was found for a cause; None as long as nothing is. Raises ArchiveUnavailable, RecordDamaged."""
        path = _answer_path(cause)
        content = self._bucket.read(path)
        return None if content is None else parsed(content, Answer, path)

    def add_answer(self, record: Answer) -> None:
        """Record what was found for a cause; nothing where another delivery of the message has answered."""
        self._bucket.create(_answer_path(record.cause), written(record))


def _bare(path: str, prefix: str) -> str:
    return path.removeprefix(prefix).removesuffix(".json")


def _kind(name: str) -> str:
    return name.rpartition("/")[2].partition("-")[0]


def _contract_path(dataset: str, version: str) -> str:
    return f"{CONTRACTS}/{dataset}/{version}.yaml"


def _answer_path(cause: str) -> str:
    return f"{ANSWERS}/{cause}.json"
