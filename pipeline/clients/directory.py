"""What lies in our directory on a partner's server: list, read and delete, many requests on one connection."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.clients import connection
from pipeline.clients.connection import FAILURES, NOT_PERMITTED, Loop, NoSuchFile, SftpError, SftpName
from pipeline.clients.ssh import Server

READ: Final = 4 * 1024 * 1024
"""Bytes of a file that are asked for at a time."""

Kind = Literal["file", "directory", "link", "other"]


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a directory; `modified` in seconds since 1970, 0 where the server does not say.

    A byte of the name that is not UTF-8 stands in it as a lone surrogate (PEP 383).
    """

    name: str
    size: int
    modified: int
    kind: Kind = "file"


class Directory:
    """Our directory, over one connection; made by `directory`."""

    def __init__(self, loop: Loop, server: Server) -> None:
        self._loop = loop
        self._sftp = loop.connection.sftp
        self._server = server

    def entries(self) -> list[Listed] | None:
        """All entries by name; None where the listing is closed to us. Raises PartnerRefused, PartnerUnavailable."""

        async def work() -> list[Listed] | None:
            try:
                entries = await self._sftp.readdir(self._server.directory or ".")
            except NOT_PERMITTED:
                return None
            listed = [_listed(entry) for entry in entries]
            return sorted((entry for entry in listed if entry.name not in (".", "..")), key=lambda entry: entry.name)

        return self._loop.run(work())

    def sizes(self, names: list[str]) -> dict[str, int | None] | None:
        """The size of each of the files, None for an absent one; None in all where STAT is closed to us."""

        async def work() -> dict[str, int | None] | None:
            sizes: dict[str, int | None] = {}
            for name in names:
                try:
                    sizes[name] = (await self._sftp.stat(self._server.path(name))).size
                except NoSuchFile:
                    sizes[name] = None
                except NOT_PERMITTED:
                    return None
            return sizes

        return self._loop.run(work())

    def read(self, name: str, most: int, seconds: float) -> bytearray:
        """All of a file, or its first `most` bytes. Raises PartnerRefused where the server answers with an error.

        Raises PartnerUnavailable where it does not answer within `seconds`; the connection is of no use then.
        """

        content = bytearray(most)  # as large as it may be at once: growing it would leave holes in the heap

        async def work() -> int:
            end = 0
            file = await self._sftp.open(self._server.path(name), "rb")
            try:
                while end < most and (piece := await file.read(min(READ, most - end), end)):
                    assert isinstance(piece, bytes)
                    content[end : end + len(piece)] = piece
                    end += len(piece)
            except SftpError:
                await file.close()
                raise
            await file.close()  # not after a time-out: closing would wait for the same server
            return end

        # No task may return the content: asyncio's runner makes a text of it, four times as long (CPython 3.11).
        del content[self._loop.run(work(), seconds) :]
        return content

    def remove(self, name: str) -> None:
        """Delete a file; nothing happens where it is gone already, or cannot be deleted."""

        async def work() -> None:
            with suppress(*FAILURES):
                await self._sftp.remove(self._server.path(name))

        self._loop.run(work())


@contextmanager
def directory(server: Server) -> Iterator[Directory]:
    """Our directory there, until the block ends.

    Raises PartnerUntrusted, PartnerRefused, PartnerUnavailable, CredentialsUnavailable, OutOfTime.
    """
    with connection.loop(server) as loop:
        yield Directory(loop, server)


def listing(server: Server) -> list[Listed] | None:
    """The files of our directory there; None where the listing is closed to us. Raises as `directory` does."""
    with directory(server) as opened:
        entries = opened.entries()
    return None if entries is None else [entry for entry in entries if entry.kind == "file"]


def _listed(entry: SftpName) -> Listed:
    mode = entry.attrs.permissions
    kind: Kind = "other"
    if mode is None or stat.S_ISREG(mode):
        kind = "file"
    elif stat.S_ISDIR(mode):
        kind = "directory"
    elif stat.S_ISLNK(mode):
        kind = "link"
    return Listed(str(entry.filename), int(entry.attrs.size or 0), int(entry.attrs.mtime or 0), kind)
