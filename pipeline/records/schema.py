"""What is recorded of a delivery, of its proof, and of what came back: the shapes of all records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.clients.storage import Stored


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
