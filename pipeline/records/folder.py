"""The records of one delivery and of one slot, under their names.

The first to create a record wins; whoever loses reads the winner's and goes on from there. So duplicates, retries and
overlapping runs need no lock. Only this package spells a record's name or path, or takes one apart.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from pipeline.clients.storage import Bucket
from pipeline.errors import ArchiveUnavailable, RecordDamaged
from pipeline.records.envelope import written
from pipeline.records.reading import stored
from pipeline.records.schema import (
    Acknowledged,
    Certificate,
    Delivered,
    Failed,
    Plan,
    Record,
    Refused,
    Rejected,
    Sealed,
    Sending,
)
from pipeline.window import Delivery, Slot

DELIVERIES: Final = "deliveries"
KINDS: Final[dict[str, type[Record]]] = {
    kind.__name__.lower(): kind
    for kind in (Plan, Refused, Sealed, Sending, Failed, Delivered, Rejected, Acknowledged, Certificate)
}
"""Kinds of record that a delivery has, by the word that their names begin with."""

ATTEMPT_LIFETIME: Final = timedelta(hours=2)
"""No attempt lives longer, the command line's longest included. Half a file may appear 1,800 s after its end, and the
attempt that settles it ends later than that even where it began at once."""

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a slot under its name, `r1/sealed-1`; `damage` says why it cannot be read."""

    name: str
    record: Record | None
    damage: str | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """The records of one delivery, as one listing of the slot's `records` saw them, with the store's time of each.

    Reads give what was listed then, creates what holds now: ours, or the record of a concurrent attempt that was
    first. All raise ArchiveUnavailable, RecordDamaged, OutOfTime.
    """

    delivery: Delivery
    names: Mapping[str, datetime]
    records: SlotFolder = field(repr=False)

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

    def attempts(self, part: int) -> dict[str, datetime]:
        """The attempts at uploading the part that were announced, and when, by the store's clock."""
        prefix = f"sending-{part}-"
        return {name.removeprefix(prefix): at for name, at in self.names.items() if name.startswith(prefix)}

    def open_attempts(self, part: int, deliveries: Iterable[Delivered]) -> list[str]:
        """The attempts of which half a file may still appear, over the whole one; `deliveries` are those of the part.

        A server may store what a dropped session left half an hour later. So an attempt that has no `delivered` of
        its own is open until one that began after it must have ended has succeeded. The store's clock orders them:
        hosts' clocks may differ by more than an upload takes.
        """
        attempts, succeeded = self.attempts(part), {one.attempt for one in deliveries}
        began = [at for attempt, at in attempts.items() if attempt in succeeded]
        return [
            attempt
            for attempt, at in sorted(attempts.items(), key=lambda one: one[1])
            if attempt not in succeeded and not (began and max(began) >= at + ATTEMPT_LIFETIME)
        ]

    @property
    def interrupted_parts(self) -> tuple[int, ...]:
        """The parts of which more uploads were announced than succeeded."""
        matches = (re.match(r"sending-(\d+)-", name) for name in self.names)
        announced = Counter(int(match[1]) for match in matches if match)
        return tuple(sorted(announced - Counter(part for part, _ in self._numbers("delivered"))))

    def announce(self, record: Sending) -> None:
        """Record that an attempt is about to upload."""
        self._create(f"sending-{record.part}-{record.attempt}", record)

    def add_failure(self, record: Failed) -> None:
        """Record how an attempt failed; nothing where the hour has a record of that code already."""
        self._create(f"failed-{record.created:%Y%m%dT%H}-{record.code}", record)

    def last_failure(self) -> Failed | None:
        """The failure that was recorded last; None where there was none."""
        failures = {name: at for name, at in self.names.items() if name.startswith("failed-")}
        return self._read(max(failures, key=failures.__getitem__), Failed) if failures else None

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

    def delivered_at(self, part: int) -> datetime | None:
        """When the latest delivery of the part was recorded, by the store's clock."""
        numbers = [number for of, number in self._numbers("delivered") if of == part]
        return self.names[f"delivered-{part}-{max(numbers)}"] if numbers else None

    @property
    def completed_at(self) -> datetime | None:
        """When every sealed part was at the partner for the first time, by the store's clock; None where one is not.

        Nothing leaves before all parts are sealed, so that what is sealed is all that the plan has.
        """
        if not self.sealed_parts or not self.sealed_parts <= self.delivered_parts:
            return None
        first: dict[int, datetime] = {}
        for part, number in self._numbers("delivered"):
            first.setdefault(part, self.names[f"delivered-{part}-{number}"])
        return max(first.values())

    def add_answer(self, record: Rejected | Acknowledged) -> None:
        """Record what a returned file says of a part; nothing where that file's answer is recorded."""
        digest = hashlib.sha256(record.returned.encode()).hexdigest()[:12]
        self._create(f"{type(record).__name__.lower()}-{record.part}-{digest}", record)

    def rejections(self, part: int, latest: Delivered) -> list[Rejected]:
        """The errors about the part as it was sent last, in the order in which they were recorded."""
        return [self._present(name, Rejected) for name in self._answers("rejected", part, latest)]

    def is_acknowledged(self, part: int, latest: Delivered) -> bool:
        """Whether a returned file about the part as it was sent last is no error."""
        return bool(self._answers("acknowledged", part, latest))

    def _answers(self, kind: str, part: int, latest: Delivered) -> list[str]:
        """The answers that came after the latest sending of the part began, by the store's clock.

        The partner may answer before the sending is recorded as delivered. Version 0.1.0 announced no sending.
        """
        since = self.attempts(part).get(latest.attempt) or self.delivered_at(part)
        names = {name: at for name, at in self.names.items() if name.startswith(f"{kind}-{part}-")}
        return sorted((name for name, at in names.items() if since is None or at >= since), key=names.__getitem__)

    @property
    def certified_at(self) -> datetime | None:
        """When the latest certificate was recorded, by the store's clock."""
        numbers = self._numbers("certificate")
        return self.names[f"certificate-{numbers[-1][0]}"] if numbers else None

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
        path, records = self._path(name), self.records
        return stored(records._bucket, path, kind, listed=name in self.names, content=records._contents.get(path))

    def _create(self, name: str, record: R) -> tuple[R, bool]:
        """The record that holds from now on under that name, and whether it is the one given."""
        path, content = self._path(name), written(record)
        if self.records._bucket.create(path, content):
            return record, True
        winner = stored(self.records._bucket, path, type(record))
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
    """The records of one slot, of all its revisions, as one listing saw them; `names` as in Folder."""

    slot: Slot
    names: Mapping[str, datetime]
    _bucket: Bucket = field(repr=False)
    _contents: Mapping[str, bytes | None] = field(default_factory=dict, repr=False)

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
    def is_sent_uncertified(self) -> bool:
        """Whether an upload was announced or done, and no certificate of the latest revision came after that."""
        sent = [at for name, at in self.names.items() if _kind(name) in ("sending", "delivered")]
        certified_at = self.latest.certified_at
        return bool(sent) and (certified_at is None or certified_at < max(sent))

    @property
    def lacks_its_plan(self) -> bool:
        """No revision has a plan, and there are records that only a planned delivery has."""
        unplanned = re.compile(r"r\d+/(certificate-\d+|failed-.+)")
        return not self.revisions and not all(unplanned.fullmatch(name) for name in self.names)

    def has_failed(self, code: str) -> bool:
        """Whether an attempt failed with that code."""
        return any(_kind(name) == "failed" and name.endswith(f"-{code}") for name in self.names)

    def revision(self, revision: int) -> Folder:
        """The records of one revision."""
        prefix = f"r{revision}/"
        names = {name.removeprefix(prefix): at for name, at in self.names.items() if name.startswith(prefix)}
        return Folder(Delivery(self.slot, revision), names, self)

    def kinds_since(self, earlier: SlotFolder) -> set[str]:
        """The kinds of record, such as `sealed`, that this listing has more than an earlier one."""
        return {_kind(name) for name in self.names.keys() - earlier.names.keys()}

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


def bare(path: str, prefix: str) -> str:
    """The path of a record without the prefix and without `.json`."""
    return path.removeprefix(prefix).removesuffix(".json")


def _kind(name: str) -> str:
    return name.rpartition("/")[2].partition("-")[0]
