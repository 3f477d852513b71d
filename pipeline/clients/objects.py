"""Objects that are written once, from a stream that goes on to somebody else; and what is known of them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol, TypeVar

import google_crc32c
from google.api_core import exceptions as api

from pipeline.clients.resumable import CHUNK, ResumableUpload
from pipeline.errors import ArchiveUnavailable
from pipeline.streams import background

T = TypeVar("T")

TAKEN: Final = (api.PreconditionFailed, api.Forbidden)
"""Answers to a create where the object exists: 412, or 403 for an account that may not delete what it would replace."""

NO_OBJECT: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What the client raises where an answer does not describe what it should."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One generation of an object: as the server describes it, and our own digest of what we wrote there.

    `crc32c` is base64 as Cloud Storage writes it; `sha256` is hexadecimal, None where it is the server's word alone.
    """

    name: str
    generation: int
    size: int
    crc32c: str
    sha256: str | None = None

    def is_still(self, described: StoredObject | None) -> bool:
        """Whether the server still describes the very object."""
        return described is not None and replace(described, sha256=self.sha256) == self


class Target(Protocol):
    """What a copy needs of its bucket."""

    name: str

    def put(self, name: str, content: bytes) -> StoredObject | None:
        """Upload a small object that must not exist, in one request; None where the answer says nothing of it.

        Raises the client's errors.
        """

    def begin(self, name: str) -> ResumableUpload:
        """An upload to an object that must not exist. Raises the client's errors."""

    def stat(self, name: str) -> StoredObject | None:
        """What the server says of an object; None where there is none. Raises ArchiveUnavailable."""

    def mapped(self, name: str) -> AbstractContextManager[None]:
        """Turn the client's errors into ours."""


class Copy:
    """An object being written from a stream that goes on to somebody else.

    `passing` gives the stream; `finished` waits for the object; whoever has begun with the first calls the second, or
    `abandon`.
    """

    def __init__(self, bucket: Target, name: str) -> None:
        self._bucket = bucket
        self.name = name
        self._checksum, self._digest, self._size = google_crc32c.Checksum(), hashlib.sha256(), 0
        self._feed: background.Feed[list[bytes]] | None = None
        self._answer: StoredObject | None = None
        self._refusal = ""

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks; a background thread uploads them, a block at a time, and goes on when they have ended.

        The object exists only once the stream has ended well. Closing this iterator early, or an error of `chunks`,
        aborts the upload. Raises ArchiveUnavailable, OutOfTime.
        """
        self._feed = feed = background.Feed(self._upload)
        given, held = 0, []
        try:
            for chunk in chunks:
                self._checksum.update(chunk)
                self._digest.update(chunk)
                self._size += len(chunk)
                held.append(chunk)
                if self._size - given >= CHUNK:
                    feed.give(held)
                    given, held = self._size - self._size % CHUNK, []  # the rest waits for few more, not for a chunk
                yield chunk
            feed.give(held)
        except BaseException:
            feed.break_off()
            self.abandon()
            raise
        feed.end()

    def abandon(self) -> None:
        """Return once nothing is being uploaded any more; whether the object came to be does not matter."""
        if self._feed is not None:
            with suppress(BaseException):
                self._feed.wait()

    def finished(self) -> StoredObject:
        """The object, whole, as the server describes it. Raises ArchiveUnavailable, OutOfTime."""
        assert self._feed is not None
        self._feed.wait()
        crc32c = base64.b64encode(self._checksum.digest()).decode()
        described = self._answer or self._bucket.stat(self.name)
        if described is None or (described.size, described.crc32c) != (self._size, crc32c):
            described = self._bucket.stat(self.name)  # a single bad answer proves nothing
        if described is None or (described.size, described.crc32c) != (self._size, crc32c):
            raise ArchiveUnavailable(
                f"{self._bucket.name}/{self.name} should hold {self._size} bytes with crc32c {crc32c}; the server "
                f"describes {described or 'no such object'}{self._refusal}. Another attempt writes another object."
            )
        return replace(described, sha256=self._digest.hexdigest())

    def _upload(self, blocks: Iterator[list[bytes]]) -> None:
        """Upload the blocks as they come: a request may take its time while the next block is made.

        Only the last block is smaller than a chunk, so one that is small and the first is everything. Where the name is
        taken, or may not be written to any more, what stands there decides: it may be ours, and only the answer was
        lost.
        """
        upload: ResumableUpload | None = None
        for block in blocks:
            with self._bucket.mapped(self.name):
                if upload is None and sum(map(len, block)) < CHUNK:
                    self._answer = self._unless_taken(partial(self._bucket.put, self.name, b"".join(block)))
                    continue
                upload = upload or self._unless_taken(partial(self._bucket.begin, self.name))
                if upload is not None:
                    upload.add(block)
        with self._bucket.mapped(self.name):
            try:
                if upload is not None:
                    self._answer = described(upload.finish(), self.name)
            except TAKEN as error:
                self._refusal = f" (it answered {error.code})"

    def _unless_taken(self, ask: Callable[[], T]) -> T | None:
        """What is asked of the store under the name; None where the name is taken."""
        if not self._refusal:
            try:
                return ask()
            except TAKEN as error:
                if self._bucket.stat(self.name) is None:
                    raise
                self._refusal = f" (it answered {error.code})"
        return None


def described(resource: Mapping[str, object], name: str) -> StoredObject | None:
    """An object as the answer to its upload describes it; None where the answer does not."""
    try:
        generation, size = int(str(resource["generation"])), int(str(resource["size"]))
        return StoredObject(name, generation, size, str(resource["crc32c"]))
    except (KeyError, ValueError):
        return None
