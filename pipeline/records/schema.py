"""What is recorded of a delivery, of its proof, and of what came back: the shapes of all records.

A record's class name in lower case is the kind in its name (`Sealed` -> `sealed-1`); `store` spells the names. Shapes
only ever gain optional fields, so that records of earlier versions can be read, and fields that are not known here are
passed over, so that after a roll back those of later versions can; an altered record shows by its checksum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from pipeline import VERSION
from pipeline.clients.counts import PartCount, Waiting
from pipeline.clients.ssh import Protection
from pipeline.clients.storage import StoredObject
from pipeline.contracts.returned import Reason
from pipeline.states import Verdict


def _now() -> datetime:
    return datetime.now(UTC)


class Record(BaseModel):
    """What every record has in common: when it was made, by this machine's clock, and by which version."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    created: datetime = Field(default_factory=_now)
    version: str = VERSION


class Plan(Record):
    """The window at one snapshot: rows, control totals, parts. Without rows and without parts it is the whole story.

    `contract` is the version of the contract that the delivery belongs to; 0.1.0 recorded no SHA-256 of its text.
    """

    dataset: str
    contract: str
    contract_sha256: str | None = None
    start: datetime
    end: datetime
    revision: int
    snapshot: datetime
    rows: int
    parts: tuple[PartCount, ...]
    cause: str

    @property
    def empty(self) -> bool:
        """Nothing is to be sent."""
        return not self.parts

    @property
    def fingerprint(self) -> str:
        """The sum over all rows of their hashes, whatever the parts."""
        return str(sum(int(part.fingerprint) for part in self.parts))

    @property
    def change_total(self) -> str | None:
        """The sum of the times of change of all rows; None where an earlier version planned it."""
        totals = [part.change_total for part in self.parts]
        return None if None in totals else str(sum(int(total) for total in totals if total is not None))

    def part(self, number: int) -> PartCount | None:
        """The part of that number."""
        return next((part for part in self.parts if part.part == number), None)


@dataclass(frozen=True, slots=True)
class Violation:
    """How many rows of a delivery break one rule of one column, and a few of them by the hash of their key."""

    column: str
    rule: str
    rows: int
    keys: tuple[str, ...]


class Refused(Record):
    """The rows broke the contract."""

    part: int
    cause: str
    rules: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """What came out when a sealed file was opened: digest, length, fingerprint of the signer (None: unsigned)."""

    sha256: str
    size: int
    signer: str | None


class Sealed(Record):
    """A part is archived, signed, encrypted and checked: from here on only these bytes are ever sent.

    `contract` and `contract_sha256` say which contract its rows were held against; 0.1.0 did not record it.
    """

    part: int
    attempt: str
    file_name: str
    rows: int
    csv: StoredObject
    sealed: StoredObject
    piece_size: int
    piece_sha256: tuple[str, ...]
    recipient: str
    signer: str | None
    keys: Mapping[str, str]
    opened: Opened | None
    contract: str | None = None
    contract_sha256: str | None = None


class Sending(Record):
    """A part is about to be written under its final name; without a `delivered` of the same attempt it may be half."""

    part: int
    attempt: str


class Failed(Record):
    """An attempt at a delivery failed in this way; one record for each code in an hour, however often that was."""

    attempt: str
    stage: str | None
    code: str
    retryable: bool
    reason: str


class Delivered(Record):
    """A part is at the partner, `late_seconds` after the window's end.

    `protection` is that of the SSH connection. Version 0.1.0 recorded neither.
    """

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
    protection: Protection | None = None
    late_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """How the rows of a window differ between the plan's snapshot and now; counts of rows.

    `added` and `altered` rows were never sent as they are now. `moved` rows changed again and belong to a later
    window, or left the subset that is shared; `deleted` ones are not in the table any more.
    """

    added: int = 0
    altered: int = 0
    moved: int = 0
    deleted: int = 0

    @property
    def unsent(self) -> int:
        """Rows that are there and were never sent as they are now."""
        return self.added + self.altered


PartnerAnswer = Literal["listed", "listing closed", "not asked"]
FileState = Literal["whole", "collected", "confirmed", "another size", "gone", "unproven"]
"""A file at the partner: listed with its size, taken by the partner, seen whole when it was sent, listed with another
size, no longer there, or never proven."""


class Certificate(Record):
    """What was compared for one slot, with which figures, and the verdict. `full`: every archived byte was read.

    `partner` is how the partner answered when it was asked for its files, and `at_partner` what is known of each of
    them; where it could not be asked, what the certificate before says of them. `change_total_now` is the
    sum of the times of change of the rows that `fingerprint_now` is of. `overdue`: the time that the contract promises
    was over, and it was not all at the partner. Version 0.1.0 recorded none of these.
    `waiting` are the rows in quarantine that the hour lacked when it was certified; None: none, or not known.

    `counted` is the warehouse's time at which rows and times of change were counted, `compared` that at which all
    columns were read. Where nothing was due to be read, the times of the certificate before stand, with its figures.
    `compared` None: not yet since the plan, whose fingerprint stands; certificates that say neither rest on a look
    at all columns.
    """

    verdict: Verdict
    full: bool
    rows_planned: int
    rows_now: int
    fingerprint_planned: str | None
    fingerprint_now: str
    change: Change
    files: tuple[str, ...]
    problems: tuple[str, ...]
    partner: PartnerAnswer | None = None
    at_partner: Mapping[str, FileState] = Field(default_factory=dict)
    change_total_now: str | None = None
    waiting: Waiting | None = None
    overdue: bool = False
    counted: datetime | None = None
    compared: datetime | None = None

    def says_the_same_as(self, other: Certificate) -> bool:
        """Whether they differ in nothing but who made them when, from which looks, what waited then, and what was not
        recorded yet."""
        unknown = set() if other.partner else {"partner", "at_partner", "change_total_now"}
        ignored = {"created", "version", "waiting", "counted", "compared"} | unknown
        return self.model_dump(exclude=ignored) == other.model_dump(exclude=ignored)


class Alarm(Record):
    """An event that a typed command found and the function has to emit; `message` None: the event's own meaning."""

    event: str
    message: str | None
    fields: Mapping[str, str | int | float | bool | None]


class Emitted(Record):
    """The function has emitted the alarm of the same name."""


class Rejected(Record):
    """The partner returned an error about a part: the file, the record of it (`returned`), and what its rows say.

    `reasons` is None where no description says how the file's rows are read.
    """

    part: int
    file_name: str
    returned: str
    reasons: tuple[Reason, ...] | None = None


class Acknowledged(Record):
    """The partner returned a file about a part that is no error."""

    part: int
    file_name: str
    returned: str


Outcome = Literal["collected", "skipped", "failed"]
"""What became of a returned file: archived; left there for good, as it cannot be collected; or to be tried again."""


class Returned(Record):
    """A file that the partner sent back: where it is archived, what it is about, and who signed it.

    `file_name` is the name as names.shown gives it. `problem` says what is wrong with the file, if anything is; one
    that was not collected is not archived. `description` names the description that its rows were read by, with the
    SHA-256 of its text. `answers` says whether it speaks of a part that was sent. Versions before 0.2.0 recorded none
    of part, answers, description, reasons.
    """

    file_name: str
    size: int
    modified: int
    archived: StoredObject | None
    opened: StoredObject | None
    signature: str
    error: bool
    dataset: str | None
    start: datetime | None
    revision: int | None
    outcome: Outcome = "collected"
    problem: str | None = None
    part: int | None = None
    answers: bool | None = None
    description: str | None = None
    reasons: tuple[Reason, ...] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The error that ended an action: its code, what it says, and whether the message is tried again."""

    code: str
    message: str
    retryable: bool


class Answer(Record):
    """What an action found, for whoever asked: the action's own result as JSON, or the error that ended it."""

    action: str
    cause: str
    result: JsonValue = None
    failure: Failure | None = None
