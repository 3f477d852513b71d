"""A file that a client holds open, and how its name is written down."""

import posixpath
from dataclasses import dataclass
from typing import BinaryIO

from localcloud.partner.bucket import Upload


@dataclass(slots=True)
class Handle:
    """An open file; `file` is an Upload when it is written. Nothing past `ends_at` is stored or served."""

    path: str
    file: Upload | BinaryIO
    bytes: int = 0
    ends_at: int | None = None


def handle_of(file_obj: object) -> Handle:
    """Return what `open` gave to the client; asyncssh passes it back untyped."""
    assert isinstance(file_obj, Handle)
    return file_obj


def shown(path: bytes) -> str:
    """Return a client's path as absolute text; bytes that are no UTF-8 are escaped."""
    return posixpath.normpath(posixpath.join("/", path.decode(errors="backslashreplace")))
