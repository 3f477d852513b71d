"""Bytes and SHA-256 of a stream, counted in passing and asked for afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator


class Tally:
    """Watches one stream: `watching` passes every chunk on unchanged; `bytes` and `sha256` tell what has passed.

    With `every`, `marks` also tells the digest of all that had passed at each multiple of so many bytes, so that a
    later reader can check each piece before using it.
    """

    def __init__(self, every: int | None = None) -> None:
        self.bytes = 0
        self._every = every
        self._marks: list[str] = []
        self._hash = hashlib.sha256()

    def watching(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks."""
        for chunk in chunks:
            self.add(chunk)
            yield chunk

    def add(self, chunk: bytes) -> None:
        """Count one chunk."""
        rest = memoryview(chunk)
        while self._every and len(rest) >= (until := self._every - self.bytes % self._every):
            self._count(rest[:until])
            self._marks.append(self.sha256)
            rest = rest[until:]
        self._count(rest)

    def _count(self, part: memoryview) -> None:
        self.bytes += len(part)
        self._hash.update(part)

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of everything so far."""
        return self._hash.hexdigest()

    @property
    def marks(self) -> tuple[str, ...]:
        """The digest up to the end of each piece, in order, the last of everything; none where nothing passed."""
        whole = self._every is None or self.bytes % self._every == 0
        return tuple(self._marks) if whole else (*self._marks, self.sha256)
