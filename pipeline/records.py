"""Create-only records: what was planned, refused, sealed, sent and proven, a JSON object each, never changed.

The first to create a record wins; whoever loses reads the winner's and goes on from there. So duplicates, retries and
overlapping runs need no lock. Each record carries its own SHA-256: one that was altered is noticed when it is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.archive import Bucket, Stored
from pipeline.errors import ArchiveUnavailable, RecordDamaged
from pipeline.window import Delivery, Slot, Window

PREFIX: Final = "deliveries"
RETURNS: Final = "returns"


class Record(BaseModel):
    """What every record has in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    created: datetime
    version: str


class PlannedPart(BaseModel):
    """One part as the source counted it at the snapshot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: int
    rows: int
    keys: int
    bytes: int
    fingerprint: str
    totals: Mapping[str, str | None]


class Plan(Record):
    """The window at one snapshot: rows, control totals, parts. Without rows and without parts it is the whole story."""

    dataset: str
    contract: str
    start: datetime
    end: datetime
    revision: int
    snapshot: datetime
    rows: int
    parts: tuple[PlannedPart, ...]
    cause: str

    @property
    def empty(self) -> bool:
        """Nothing is to be sent."""
        return not self.parts

    def part(self, number: int) -> PlannedPart | None:
        """The part of that number."""
        return next((part for part in self.parts if part.part == number), None)


class Broken(BaseModel):
    """How many rows broke one rule; keys are hashes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    rule: str
    rows: int
    keys: tuple[str, ...]


class Refused(Record):
    """The rows broke the contract."""

    part: int
    cause: str
    rules: tuple[Broken, ...]


class Archived(BaseModel):
    """An object of the archive: just this generation, with the checksum that the server gave and our own digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    generation: int
    size: int
    crc32c: str
    sha256: str

    @classmethod
    def of(cls, stored: Stored, sha256: str) -> Archived:
        """As it was stored, with the digest of what was sent there."""
        return cls(
            name=stored.name, generation=stored.generation, size=stored.size, crc32c=stored.crc32c, sha256=sha256
        )

    def describes(self, stored: Stored | None) -> bool:
        """Whether the server still describes the very object."""
        return stored == self.stored

    @property
    def stored(self) -> Stored:
        """The object as the bucket knows it."""
        return Stored(self.name, self.generation, self.size, self.crc32c)


class Opened(BaseModel):
    """What came out when the sealed file was opened again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    size: int
    signer: str | None


class Sealed(Record):
    """A part is archived, signed, encrypted and checked: from here on only these bytes are ever sent."""

    part: int
    attempt: str
    file_name: str
    rows: int
    csv: Archived
    sealed: Archived
    piece_size: int
    piece_sha256: tuple[str, ...]
    recipient: str
    signer: str | None
    keys: Mapping[str, str]
    opened: Opened | None


class Sending(Record):
    """A part is about to be written under its final name; without a `delivered` of the same attempt it may be half."""

    part: int
    attempt: str


class Delivered(Record):
    """A part is at the partner."""

    part: int
    attempt: str
    cause: str
    began: datetime
    file_name: str
    size: int
    sha256: str
    publish: Literal["direct", "rename"]
    confirmation: str
    host_key: str


class Compared(BaseModel):
    """How the window's rows differ between the plan's snapshot and the recount; see verdict.Change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    added: int
    altered: int
    moved: int
    deleted: int


class Certificate(Record):
    """What was compared for one slot, with which figures, and the verdict. `full`: every archived byte was read."""

    verdict: str
    full: bool
    rows_planned: int
    rows_now: int
    fingerprint_planned: str | None
    fingerprint_now: str
    change: Compared
    files: tuple[str, ...]
    problems: tuple[str, ...]


class Returned(Record):
    """A file that the partner sent back: where it is archived, what it is about, and who signed it."""

    file_name: str
    size: int
    modified: int
    archived: Archived
    opened: Archived | None
    signature: str
    error: bool
    dataset: str | None
    start: datetime | None
    revision: int | None


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Folder:
    """The names of all records of one slot, as one listing saw them."""

    slot: Slot
    names: frozenset[str]

    @property
    def revisions(self) -> list[int]:
        """Revisions that have a plan, in order."""
        return sorted(int(found[1]) for name in self.names if (found := re.fullmatch(r"r(\d+)/plan", name)))

    def numbers(self, revision: int, kind: str) -> list[tuple[int, ...]]:
        """The numbers in the names of one kind: `delivered` of part 2, third time, is (2, 3)."""
        pattern = re.compile(rf"r{revision}/{kind}((?:-\d+)+)")
        found = (pattern.fullmatch(name) for name in self.names)
        return sorted(tuple(int(number) for number in match[1].split("-")[1:]) for match in found if match)

    def attempts(self, revision: int, kind: str, part: int) -> list[str]:
        """The attempts in the names of one kind and part."""
        start = f"r{revision}/{kind}-{part}-"
        return sorted(name.removeprefix(start) for name in self.names if name.startswith(start))

    def has(self, revision: int, name: str) -> bool:
        """Whether the revision has a record of that name."""
        return f"r{revision}/{name}" in self.names


class Records:
    """The records bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def folder(self, slot: Slot) -> Folder:
        """Every record name of a slot, from one listing. Raises ArchiveUnavailable."""
        prefix = f"{PREFIX}/{slot.folder}/"
        names = self._bucket.names(prefix)
        return Folder(slot, frozenset(name.removeprefix(prefix).removesuffix(".json") for name in names))

    def folders(self, dataset: str, window: Window) -> dict[Slot, Folder]:
        """The folders of every hour of a long window, from one listing a day. Raises ArchiveUnavailable."""
        days = sorted({hour.start.date() for hour in window.hours()})
        names = [name for day in days for name in self._bucket.names(f"{PREFIX}/{dataset}/{day:%Y/%m/%d}/")]
        found: dict[str, set[str]] = {}
        for name in names:
            folder, revision, record = name.removeprefix(f"{PREFIX}/").removesuffix(".json").rsplit("/", 2)
            found.setdefault(folder, set()).add(f"{revision}/{record}")
        slots = [Slot(dataset, hour) for hour in window.hours()]
        return {slot: Folder(slot, frozenset(found.get(slot.folder, ()))) for slot in slots}

    def create(self, delivery: Delivery, name: str, record: R) -> tuple[R, bool]:
        """The record that holds from now on under that name, and whether it is the one given.

        Raises ArchiveUnavailable, RecordDamaged, OutOfTime.
        """
        path = self.path(delivery, name)
        content = _written(record)
        if self._bucket.create(path, content):
            return record, True
        winner = self._bucket.read(path)
        if winner is None:
            raise ArchiveUnavailable(f"The record {path} exists and cannot be read.")
        return _read(winner, type(record), path), winner == content

    def read(self, delivery: Delivery, name: str, kind: type[R]) -> R | None:
        """The record of that name, None where there is none. Raises ArchiveUnavailable, RecordDamaged."""
        path = self.path(delivery, name)
        content = self._bucket.read(path)
        return None if content is None else _read(content, kind, path)

    def returned(self, name: str, size: int, modified: int) -> Returned | None:
        """The record of a file that was collected before. Raises ArchiveUnavailable, RecordDamaged."""
        path = _returned_path(name, size, modified)
        content = self._bucket.read(path)
        return None if content is None else _read(content, Returned, path)

    def add_returned(self, record: Returned) -> bool:
        """Record a collected file; False where another run was faster."""
        path = _returned_path(record.file_name, record.size, record.modified)
        return self._bucket.create(path, _written(record))

    def all_returned(self, wanted: Callable[[str], bool] = lambda _: True) -> list[Returned]:
        """Every collected file whose name is wanted, by name; only their records are read."""
        paths = [path for path in self._bucket.names(f"{RETURNS}/") if wanted(path.split("/")[1])]
        found = ((path, self._bucket.read(path)) for path in paths)
        return [_read(content, Returned, path) for path, content in found if content is not None]

    def path(self, delivery: Delivery, name: str) -> str:
        """Where a record is: `deliveries/payments/2026/11/23/1300/r1/plan.json`."""
        return f"{PREFIX}/{delivery.folder}/{name}.json"


def _returned_path(name: str, size: int, modified: int) -> str:
    return f"{RETURNS}/{name}/{size}-{modified}.json"


def _written(record: Record) -> bytes:
    body: Any = record.model_dump(mode="json")
    return json.dumps({"record": body, "sha256": _digest(body)}, indent=1, sort_keys=True).encode()


def _read(content: bytes, kind: type[R], path: str) -> R:
    try:
        envelope = json.loads(content)
        if envelope["sha256"] != _digest(envelope["record"]):
            raise RecordDamaged(f"The record {path} was altered: its own checksum differs.")
        return kind(**envelope["record"])
    except (ValueError, KeyError, TypeError, ValidationError):
        raise RecordDamaged(f"The record {path} cannot be read as {kind.__name__}.") from None


def _digest(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
