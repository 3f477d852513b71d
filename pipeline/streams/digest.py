"""Length and SHA-256 of a stream, computed while it passes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator


def key_digest(key: Iterable[str | None]) -> str:
    """What stands for a row in records: the SHA-256 of its key, several columns joined by the unit separator.

    Without a salt, so that whoever knows a key finds it again; records are for few eyes, and no log has it.
    """
    return hashlib.sha256("\x1f".join(part or "" for part in key).encode()).hexdigest()


class Tally:
    """Length (`bytes`) and digest (`sha256`) of all chunks that have passed `counting` or `add`."""

    def __init__(self) -> None:
        self.bytes = 0
        self._hash = hashlib.sha256()

    def counting(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the same chunks, counting each."""
        for chunk in chunks:
            self.add(chunk)
            yield chunk

    def add(self, chunk: bytes) -> None:
        """Count one chunk."""
        self.bytes += len(chunk)
        self._hash.update(chunk)

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of everything so far."""
        return self._hash.hexdigest()


class PieceDigests:
    """SHA-256 of each piece of `size` bytes of a stream, so that a reader can check a piece before using it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._done: list[str] = []
        self._hash = hashlib.sha256()
        self._filled = 0

    def counting(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the same chunks, counting each."""
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                taken = view[: self.size - self._filled]
                self._hash.update(taken)
                self._filled += len(taken)
                view = view[len(taken) :]
                if self._filled == self.size:
                    self._close_piece()
            yield chunk

    def _close_piece(self) -> None:
        self._done.append(self._hash.hexdigest())
        self._hash = hashlib.sha256()
        self._filled = 0

    @property
    def digests(self) -> tuple[str, ...]:
        """The digest of each piece, in order, the last piece being shorter; none for an empty stream."""
        return (*self._done, self._hash.hexdigest()) if self._filled else tuple(self._done)
