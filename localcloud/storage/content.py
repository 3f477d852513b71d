"""Bytes into a file, with the checksums that Cloud Storage keeps."""

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from localcloud.storage.errors import invalid

MD5_UP_TO = 8 << 20
"""Larger objects get an MD5 only when the uploader sent one to compare: it would halve the speed.
The real service keeps one for every object that is not composed."""
PIECE = 1 << 20
LETTING_GO = 8 << 20
"""Bytes after which the system is advised not to keep them in memory."""


@dataclass(frozen=True, slots=True)
class Digests:
    """Checksums that the uploader expects, in base64; None where it said nothing."""

    crc32c: str | None = None
    md5: str | None = None

    def over(self, other: "Digests") -> "Digests":
        """These, and the other's where these say nothing."""
        return Digests(self.crc32c or other.crc32c, self.md5 or other.md5)


@dataclass(frozen=True, slots=True)
class Content:
    """A finished file that no object owns yet."""

    path: Path
    size: int
    crc32c: str
    md5: str | None


class Sink:
    """A file being written. Memory does not grow with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", buffering=0)
        self._crc = 0
        self.size = 0

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._crc = google_crc32c.extend(self._crc, piece)
        before, self.size = self.size, self.size + len(piece)
        if self.size // LETTING_GO > before // LETTING_GO:
            let_go(self._file)

    def discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def finish(self, expected: Digests, *, md5: bool = True) -> Content:
        """The file, closed. On a refusal it is gone. `md5=False` for content that has none (composed).

        Raises: Refused 400 when an expected checksum is another one.
        """
        self._file.close()
        crc32c = base64.b64encode(self._crc.to_bytes(4, "big")).decode()
        wants_md5 = expected.md5 is not None or (md5 and self.size <= MD5_UP_TO)
        digest = _md5_of(self._path) if wants_md5 else None
        for name, wanted, actual in (("CRC32C", expected.crc32c, crc32c), ("MD5 hash", expected.md5, digest)):
            if wanted is not None and wanted != actual:
                self.discard()
                raise invalid(f'Provided {name} "{wanted}" doesn\'t match calculated {name} "{actual}".')
        return Content(self._path, self.size, crc32c, digest)


def fill(sink: Sink, pieces: Iterable[bytes]) -> Sink:
    """The sink with all pieces written; discarded when the source fails."""
    try:
        for piece in pieces:
            sink.write(piece)
    except BaseException:
        sink.discard()
        raise
    return sink


def let_go(file: BinaryIO | FileIO, start: int = 0, length: int = 0) -> None:
    """Have the bytes leave the memory as soon as the disk has them; without a length all that follow `start`.

    An archive is far larger than what anybody reads again soon. Where the memory is a virtual machine's, a fresh page
    costs several times the copy into it; like this the same few pages serve again and again.
    """
    os.posix_fadvise(file.fileno(), start, length, os.POSIX_FADV_DONTNEED)


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        for piece in pieces_of(file):
            digest.update(piece)
    return base64.b64encode(digest.digest()).decode()
