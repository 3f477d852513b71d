"""Create-only records: what was planned, refused, sealed, sent and proven, a JSON object each, never changed.

The first to create a record wins; whoever loses reads the winner's and goes on from there. So duplicates, retries and
overlapping runs need no lock. Each record carries its own SHA-256: one that was altered is noticed when it is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from pipeline.clients.storage import Bucket
from pipeline.errors import ArchiveUnavailable, RecordDamaged
from pipeline.records.schema import Record, Returned
from pipeline.window import Delivery, Slot, Window

PREFIX: Final = "deliveries"
RETURNS: Final = "returns"


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
