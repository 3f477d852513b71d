"""Reading a record: one bad read is no damage, so what reads wrong, or not at all, is read once more."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

from pipeline.clients.storage import Bucket
from pipeline.errors import RecordDamaged
from pipeline.records.envelope import parsed
from pipeline.records.schema import Record

R = TypeVar("R", bound=Record)


def stored(bucket: Bucket, path: str, kind: type[R], *, listed: bool = True, content: bytes | None = None) -> R | None:
    """The record at that path; None where there is none. `listed`: a listing said that it exists.

    `content` is what was read there before, if anything was.

    Raises RecordDamaged where it was read wrong twice, the second time by its generation; ArchiveUnavailable.
    """
    content = bucket.read(path) if content is None else content
    if content is None and not listed:
        return None
    if content is not None:
        with suppress(RecordDamaged):
            return parsed(content, kind, path)
    again = bucket.read_again(path)
    return None if again is None else parsed(again, kind, path)
