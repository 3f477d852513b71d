"""A partner's server that serves whatever a test puts into a table: odd names, wrong sizes, errors, silence."""

from __future__ import annotations

import asyncio
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import asyncssh

from localcloud.keys import SshKey, ssh_key

Behaviour = Literal["well", "error", "hang", "cut"]
NOW = int(time.time())


@dataclass(frozen=True)
class Entry:
    """What the listing says of a file, what it holds, and how requests for it go; `grows` never ends."""

    content: bytes = b"fine"
    mode: int = stat.S_IFREG | 0o644
    size: int | None = None
    opens: Behaviour = "well"
    reads: Behaviour = "well"
    grows: bool = False


@dataclass
class Table:
    """The server's files by name, and what clients asked for."""

    host_key: SshKey
    login: SshKey
    port: int = 0
    entries: dict[bytes, Entry] = field(default_factory=dict)
    opened: list[bytes] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)
    listings: int = 0

    def serve(self, entries: Mapping[bytes, Entry]) -> None:
        """These files, and no others."""
        self.entries = dict(entries)
        self.opened.clear()
        self.removed.clear()
        self.listings = 0


class _Server(asyncssh.SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], table: Table) -> None:
        super().__init__(channel)
        self._table = table

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        self._table.listings += 1
        for name, entry in list(self._table.entries.items()):
            size = len(entry.content) if entry.size is None else entry.size
            attrs = asyncssh.SFTPAttrs(size=size, permissions=entry.mode, atime=NOW, mtime=NOW)
            yield asyncssh.SFTPName(name, attrs=attrs)

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        name = path.removeprefix(b"/")
        self._table.opened.append(name)
        await self._behave(self._table.entries[name].opens)
        return self._table.entries[name]

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        assert isinstance(file_obj, Entry)
        await self._behave(file_obj.reads)
        return b"x" * size if file_obj.grows else file_obj.content[offset : offset + size]

    async def close(self, file_obj: object) -> None:
        return None

    async def remove(self, path: bytes) -> None:
        self._table.removed.append(path.removeprefix(b"/"))

    async def _behave(self, behaviour: Behaviour) -> None:
        if behaviour == "error":
            raise asyncssh.SFTPFailure("Internal error")
        if behaviour == "hang":
            await self.channel.wait_closed()
        if behaviour in ("cut", "hang"):
            self.connection.abort()
            raise asyncssh.SFTPConnectionLost("Connection lost")


@contextmanager
def misbehaving() -> Iterator[Table]:
    """Such a server on a background thread, until the block ends."""
    table = Table(ssh_key(), ssh_key())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.import_private_key(table.host_key.private)],
            authorized_client_keys=asyncssh.import_authorized_keys(table.login.public.decode()),
            sftp_factory=lambda channel: _Server(channel, table),
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(30)
    table.port = acceptor.get_port()
    try:
        yield table
    finally:
        loop.call_soon_threadsafe(acceptor.close)
        asyncio.run_coroutine_threadsafe(acceptor.wait_closed(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
