"""Resumable uploads under way: what was received, and what the next request may send."""

import re
import threading
import uuid
from dataclasses import dataclass, field

from localcloud.storage.content import Digests, Sink
from localcloud.storage.errors import Refused, invalid
from localcloud.storage.resources import ObjectSettings, StoredObject
from localcloud.storage.rules import Conditions

CHUNK_UNIT = 256 << 10
"""Every chunk but the last is a multiple of this (Cloud Storage documentation, "Resumable uploads")."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a request brings: bytes from `start`, or nothing (None: it asks how far the upload got).

    `total` is the size of the whole object where the client knows it; only then can the upload end.
    """

    start: int | None
    total: int | None

    @classmethod
    def read(cls, header: str | None, length: int) -> "Chunk":
        """From Content-Range; without one the body is the whole object. Raises: Refused 400."""
        if header is None:
            return cls(0, length)
        parsed = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", header)
        if parsed is None:
            raise invalid(f"Invalid Content-Range: {header}")
        first, last, size = parsed.groups()
        total = None if size == "*" else int(size)
        if first is None:
            if length:
                raise invalid("A status request has no body.")
            return cls(None, total)
        if int(last) - int(first) + 1 != length or (total is not None and int(last) >= total):
            raise invalid(f"Content-Range {header} does not fit a body of {length} bytes.")
        if length % CHUNK_UNIT and int(last) + 1 != total:
            raise invalid(f"A chunk that is not the last must be a multiple of {CHUNK_UNIT} bytes, not {length}.")
        return cls(int(first), total)


@dataclass(slots=True)
class Session:
    """One resumable upload. Nobody but its client sees what was received until it ends."""

    bucket: str
    name: str
    settings: ObjectSettings
    conditions: Conditions
    expected: Digests
    declared: int | None
    sink: Sink
    lock: threading.Lock = field(default_factory=threading.Lock)
    result: StoredObject | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def check(self, chunk: Chunk) -> None:
        """Raises: Refused 400 or 503 for a chunk that contradicts what is known, or leaves a gap."""
        if self.declared is not None and chunk.total not in (None, self.declared):
            raise invalid(f"The upload was declared with {self.declared} bytes, not {chunk.total}.")
        if chunk.start is not None and chunk.start > self.sink.size:
            raise Refused(503, "backendError", f"Only {self.sink.size} bytes were received before {chunk.start}.")
        if chunk.total is not None and self.sink.size > chunk.total:
            raise invalid(f"{self.sink.size} bytes were received already, more than {chunk.total}.")


class Sessions:
    """The uploads under way, by id. Ended ones stay: their client may not have seen the answer."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        self._open[session.id] = session

    def find(self, upload_id: str) -> Session:
        try:
            return self._open[upload_id]
        except KeyError:
            raise Refused(404, "notFound", "No such upload session.") from None

    def drop(self, session: Session) -> None:
        """Forgets the upload and what it received."""
        self._open.pop(session.id, None)
        session.sink.discard()
