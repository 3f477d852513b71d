"""Records of files that the partner returned; only this module spells their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pipeline.clients.storage import Bucket
from pipeline.records.envelope import written
from pipeline.records.reading import stored
from pipeline.records.schema import Acknowledged, Outcome, Rejected, Returned

RETURNS: Final = "returns"


@dataclass(frozen=True, slots=True)
class ReturnsFolder:
    """The records of returned files, as one listing saw them."""

    names: frozenset[str]
    _bucket: Bucket = field(repr=False)

    def has(self, name: str, size: int, modified: int, *outcomes: Outcome) -> bool:
        """Whether a file of that name, size and time of change is recorded with one of these outcomes."""
        return any(_path(name, size, modified, outcome) in self.names for outcome in outcomes)

    def add(self, record: Returned) -> bool:
        """Record what became of a file; False where a concurrent run was first. Raises ArchiveUnavailable."""
        path = _path(record.file_name, record.size, record.modified, record.outcome)
        return self._bucket.create(path, written(record))

    def records(self, wanted: Callable[[str], bool]) -> list[Returned]:
        """What became of every file whose name is wanted, by name; only those are read."""
        paths = (path for path in sorted(self.names) if wanted(path.split("/")[1]))
        return [record for path in paths if (record := stored(self._bucket, path, Returned)) is not None]


def answer(record: Returned) -> Rejected | Acknowledged:
    """What a returned file says of the part that it names, as it is recorded with the delivery."""
    assert record.part is not None, "a file that answers names a part"
    path = _path(record.file_name, record.size, record.modified, record.outcome)
    if record.error:
        return Rejected(part=record.part, file_name=record.file_name, returned=path, reasons=record.reasons)
    return Acknowledged(part=record.part, file_name=record.file_name, returned=path)


def returns_folder(bucket: Bucket) -> ReturnsFolder:
    """What is recorded of returned files now, by one listing. Raises ArchiveUnavailable."""
    return ReturnsFolder(frozenset(bucket.names(f"{RETURNS}/")), bucket)


def _path(name: str, size: int, modified: int, outcome: Outcome) -> str:
    suffix = "" if outcome == "collected" else f"-{outcome}"
    return f"{RETURNS}/{name}/{size}-{modified}{suffix}.json"
