"""Search archived files for a row by its key: where it was sent, when, in which revision, and certified how.

Each file is read once in pieces and looked through for the bytes of the key; only a file that has them is read again as
CSV. So a scan takes as long as the archive takes to be read, in bounded memory. The key stands in no result.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pipeline.contracts.dataset import Dataset
from pipeline.errors import ArchiveDamaged, ContractInvalid, RecordDamaged
from pipeline.records.folder import Folder
from pipeline.records.schema import Plan, Sealed
from pipeline.run import Run
from pipeline.states import Verdict
from pipeline.streams import background
from pipeline.window import Window

SEARCHERS: Final = 4
"""Files that are read at a time; of each, the bucket's client reads three pieces."""

PIECE: Final = 2 * 1024 * 1024
READ_AS_CSV: Final = 512 * 1024
"""Bytes at a time, where a file is looked through and where it is read row by row, each row a text of its own."""

LONGEST: Final = 100 * 1024 * 1024
"""Characters of the longest field that is read: as BigQuery's largest row."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file in which the row stands, `rows` times; `delivered` is empty where it was sealed and never sent.

    `verdict` is that of the latest certificate of the revision, None where there is none.
    """

    dataset: str
    window: Window
    revision: int
    part: int
    parts: int
    file_name: str
    archived: str
    rows: int
    sealed: datetime
    delivered: tuple[datetime, ...]
    verdict: Verdict | None
    certified: datetime | None


@dataclass(frozen=True, slots=True)
class Unsearched:
    """A file that could not be searched, so that the row may stand in it, and why."""

    dataset: str
    window: Window
    revision: int
    part: int
    reason: str


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search saw: files and bytes looked through, where the row stands, and what could not be searched.

    `unrecorded` counts the hours without any record: nothing was planned, or what was is not kept any more.
    """

    window: Window
    files: int
    bytes: int
    sightings: tuple[Sighting, ...]
    unsearched: tuple[Unsearched, ...]
    unrecorded: int


@dataclass(frozen=True, slots=True)
class _Seen:
    bytes: int
    result: Sighting | Unsearched | None


def search(dataset: str, key: Sequence[str], window: Window, run: Run, observe: Callable[[int, int], None]) -> Searched:
    """Search every file of the dataset's hours, of all revisions, for the row whose key columns have these texts.

    The texts stand in the order of the contract's key, as the file has them: a decimal at its scale, a time as
    RFC 3339 in UTC with six decimal places. `observe` takes how many more files are done, and how many there are.
    Raises ArchiveUnavailable, OutOfTime.
    """
    folders = run.records.folders(dataset, window).values()
    revisions = [folder.revision(number) for folder in folders for number in folder.revisions]
    parts = [(revision, part) for revision in revisions for part in sorted(revision.sealed_parts)]

    def seen(place: tuple[Folder, int]) -> _Seen:
        result = _seen(*place, tuple(key), run)
        observe(1, len(parts))
        return result

    with background.pool("search", SEARCHERS) as searchers:
        found = list(searchers.map(seen, parts))
    results = [one.result for one in found]
    return Searched(
        window=window,
        files=sum(not isinstance(result, Unsearched) for result in results),
        bytes=sum(one.bytes for one in found),
        sightings=tuple(result for result in results if isinstance(result, Sighting)),
        unsearched=tuple(result for result in results if isinstance(result, Unsearched)),
        unrecorded=sum(not folder.names for folder in folders),
    )


def _seen(folder: Folder, part: int, key: tuple[str, ...], run: Run) -> _Seen:
    """One file looked through."""
    try:
        sealed, plan = folder.sealed(part), folder.plan()
        if sealed is None or plan is None:
            raise _NotSearched("Its plan, or its sealed record, is not there any more.")
        rows = _rows(sealed, run.contracts.of(plan), key, run)
        return _Seen(sealed.csv.size, _sighting(folder, plan, sealed, rows) if rows else None)
    except (RecordDamaged, ContractInvalid, _NotSearched) as error:
        slot, reason = folder.delivery.slot, error.message
        return _Seen(0, Unsearched(slot.dataset, slot.window, folder.delivery.revision, part, reason))


def _sighting(folder: Folder, plan: Plan, sealed: Sealed, rows: int) -> Sighting:
    certificate, slot = folder.certificate(), folder.delivery.slot
    return Sighting(
        dataset=slot.dataset,
        window=slot.window,
        revision=folder.delivery.revision,
        part=sealed.part,
        parts=len(plan.parts),
        file_name=sealed.file_name,
        archived=sealed.csv.name,
        rows=rows,
        sealed=sealed.created,
        delivered=tuple(record.created for record in folder.deliveries(sealed.part)),
        verdict=certificate.verdict if certificate else None,
        certified=certificate.created if certificate else None,
    )


class _NotSearched(Exception):
    """A file cannot be searched; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _rows(sealed: Sealed, contract: Dataset, key: tuple[str, ...], run: Run) -> int:
    """How many rows of an archived file have the key. Raises _NotSearched where it is gone, altered, or has another."""
    if len(contract.key) != len(key):
        raise _NotSearched(f"Its contract {contract.version} has another key: {', '.join(contract.key)}.")
    stored, wanted = sealed.csv, contract.key_in_file(key)
    place = f"gs://{run.archive.name}/{stored.name}"
    try:
        found, sha256 = contains(run.archive.pieces(stored, PIECE), quoted(max(wanted, key=len)))
        if stored.sha256 in (None, sha256):
            return matching(run.archive.pieces(stored, READ_AS_CSV), contract.key, wanted) if found else 0
    except ArchiveDamaged:
        if run.archive.stat(stored.name) is None:
            raise _NotSearched(f"{place} is not in the archive any more.") from None
    raise _NotSearched(f"{place} is not the object that its record names.")


def quoted(text: str) -> bytes:
    """The bytes of a text inside a field: a quote stands twice."""
    return text.replace('"', '""').encode(errors="surrogateescape")


def contains(pieces: Iterator[bytes], needle: bytes) -> tuple[bool, str]:
    """Whether the bytes stand in the pieces, across their borders too; and the SHA-256 of all of them."""
    digest, last, found = hashlib.sha256(), b"", False
    for piece in pieces:
        digest.update(piece)
        found = found or needle in piece or needle in last + piece[: len(needle) - 1]
        last = (last + piece)[1 - len(needle) :] if len(piece) < len(needle) else piece[1 - len(needle) :]
    return found, digest.hexdigest()


def matching(pieces: Iterator[bytes], names: Sequence[str], wanted: tuple[str, ...]) -> int:
    """How many rows of a CSV file with a header have these texts in the columns of these names."""
    csv.field_size_limit(LONGEST)
    rows = csv.reader(_lines(pieces), strict=True)
    header = next(rows)
    columns = [header.index(name) for name in names]
    return sum(tuple(row[column] for column in columns) == wanted for row in rows)


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """The text, cut behind each line feed."""
    decoder, rest = codecs.getincrementaldecoder("utf-8")(), ""
    for piece in pieces:
        *lines, rest = (rest + decoder.decode(piece)).split("\n")
        for line in lines:
            yield line + "\n"
    if rest:
        yield rest
