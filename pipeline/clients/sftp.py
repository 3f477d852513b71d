"""The partner's SFTP server: put, confirm, list, fetch. The only importer of asyncssh, and the only event loop.

The manners are those of AWS Transfer in front of S3: no attributes are ever set, no directory is made, nothing is
appended, files are opened for writing only. Host keys are pinned: a server with another key is refused before
authentication. An ordinary server gets a temporary name and a rename, so that nobody ever sees half a file.
"""

from __future__ import annotations

import asyncio
import stat
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

import asyncssh

from pipeline.budget import Budget
from pipeline.errors import (
    CredentialsUnavailable,
    PartnerRefused,
    PartnerUnavailable,
    PartnerUntrusted,
    UploadDiffers,
)
from pipeline.streams import background

T = TypeVar("T")

REQUEST: Final = 32_000
"""Bytes of one write request, where the server does not say that it takes more. Every server should take an SFTP packet
of 34,000 bytes (draft-ietf-secsh-filexfer-02, section 3); with its header this one fits SSH's packet of 32 KiB too."""

WRITE: Final = 4 * 1024 * 1024
"""Bytes that may wait for the server's word: enough for 40 MB/s over 100 ms, if the server's window is as large."""

CONNECT_SECONDS: Final = 30.0
FAREWELL_SECONDS: Final = 5.0
"""How long a server that failed us may take for the last courtesies."""

CIPHERS: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")

Confirmation = Literal["size", "not permitted", "already collected"]


@dataclass(frozen=True, slots=True)
class Server:
    """Where a partner's server is and how we prove ourselves, for one run and within its budget.

    `host_keys` are the only ones that are trusted.
    """

    host: str
    port: int
    user: str
    directory: str
    key: bytes = field(repr=False)
    host_keys: bytes = field(repr=False)
    budget: Budget

    def path(self, name: str) -> str:
        """The name within our directory."""
        return f"{self.directory.rstrip('/')}/{name}" if self.directory else name


@dataclass(frozen=True, slots=True)
class Placed:
    """What is known of a file after it was put: `confirmation` says how we know."""

    bytes: int
    confirmation: Confirmation
    host_key: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A file in a listing; `modified` in seconds since 1970, 0 where the server does not say."""

    name: str
    size: int
    modified: int


def put(chunks: Iterator[bytes], server: Server, name: str, *, attempt: str, rename: bool) -> Placed:
    """Write the chunks under `name`, replacing what stands there, and confirm the size where that is permitted.

    With `rename` the name appears complete or not at all. An error of `chunks` closes the connection before the name
    is published. Raises PartnerUntrusted, PartnerRefused, PartnerUnavailable, UploadDiffers, OutOfTime, and whatever
    `chunks` raises.
    """

    async def work() -> Placed:
        async with _connected(server) as (connection, sftp):
            final = server.path(name)
            target = server.path(f".{name}.{attempt}.part") if rename else final
            size = await _write(sftp, target, chunks, server.budget)
            if rename:
                await _expect(sftp, target, size)
                await _publish(sftp, target, final, size)
                await _sweep(sftp, server, name)
            confirmation = await _expect(sftp, final, size)
            return Placed(size, confirmation, fingerprint(connection))

    return _run(work(), server)


def listing(server: Server) -> list[Listed] | None:
    """The files of our directory there; None where the listing is closed to us. Raises as `put` does."""

    async def work() -> list[Listed] | None:
        async with _connected(server) as (_, sftp):
            try:
                entries = await sftp.readdir(server.directory or ".")
            except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPOpUnsupported):
                return None
            found = [
                Listed(str(entry.filename), int(entry.attrs.size or 0), int(entry.attrs.mtime or 0))
                for entry in entries
                if entry.attrs.permissions is None or stat.S_ISREG(entry.attrs.permissions)
            ]
            return sorted(found, key=lambda listed: listed.name)

    return _run(work(), server)


def sizes(server: Server, names: list[str]) -> dict[str, int | None] | None:
    """The size of each of the files there, None for one that is absent; None in all where STAT is closed to us."""

    async def work() -> dict[str, int | None] | None:
        async with _connected(server) as (_, sftp):
            found: dict[str, int | None] = {}
            for name in names:
                try:
                    found[name] = (await sftp.stat(server.path(name))).size
                except asyncssh.SFTPNoSuchFile:
                    found[name] = None
                except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPOpUnsupported):
                    return None
            return found

    return _run(work(), server)


def fetch(server: Server, name: str, *, most: int) -> bytes:
    """One small file whole. Raises PartnerRefused where it is larger than `most` bytes, else as `put` does."""

    async def work() -> bytes:
        async with _connected(server) as (_, sftp), sftp.open(server.path(name), "rb") as file:
            content = await file.read(most + 1)
            assert isinstance(content, bytes)
            if len(content) > most:
                raise PartnerRefused(f"The returned file {name} is larger than {most} bytes; fetch it by hand.")
            return content

    return _run(work(), server)


def remove(server: Server, name: str) -> None:
    """Delete one file there; nothing happens where it is gone already."""

    async def work() -> None:
        async with _connected(server) as (_, sftp):
            await _remove(sftp, server.path(name))

    _run(work(), server)


def host_key(server: Server) -> str:
    """The fingerprint of the pinned key that the server shows now, with our login accepted. Raises as `put` does."""

    async def work() -> str:
        async with _connected(server) as (connection, _):
            return fingerprint(connection)

    return _run(work(), server)


def pinned(content: bytes) -> list[asyncssh.SSHKey]:
    """The host keys of a secret: a line each, `ssh-ed25519 AAAA...`, a host name before it is ignored.

    Raises CredentialsUnavailable where a line cannot be read or none is there.
    """
    keys: list[asyncssh.SSHKey] = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not words[0].startswith(("ssh-", "ecdsa-")):
            words = words[1:]
        try:
            keys.append(asyncssh.import_public_key(" ".join(words[:2])))
        except (asyncssh.KeyImportError, ValueError):
            raise CredentialsUnavailable(
                f"Line {number} of the pinned host keys is not a public key such as: ssh-ed25519 AAAA..."
            ) from None
    if not keys:
        raise CredentialsUnavailable("No host key is pinned; add the partner's host keys to the secret, a line each.")
    return keys


def fingerprint(connection: asyncssh.SSHClientConnection) -> str:
    """SHA-256 fingerprint of the host key of an open connection, as ssh-keygen -l shows it."""
    key = connection.get_server_host_key()
    return str(key.get_fingerprint()) if key is not None else "unknown"


@asynccontextmanager
async def _connected(
    server: Server,
) -> AsyncIterator[tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]]:
    try:
        login = asyncssh.import_private_key(server.key)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise CredentialsUnavailable(
            "The SSH key's secret does not hold a private key in OpenSSH or PEM form without a passphrase."
        ) from None
    connection = await asyncssh.connect(
        server.host,
        server.port,
        username=server.user,
        client_keys=[login],
        known_hosts=(pinned(server.host_keys), [], []),
        config=None,
        agent_path=None,
        preferred_auth="publickey",
        encryption_algs=CIPHERS,
        compression_algs=None,
        connect_timeout=server.budget.left(CONNECT_SECONDS),
        login_timeout=server.budget.left(CONNECT_SECONDS),
        keepalive_interval=15,
        keepalive_count_max=3,
    )
    try:
        # asyncssh closes handles even where it is cancelled, and then waits for a server that may never answer.
        asyncio.get_running_loop().call_later(server.budget.left() + FAREWELL_SECONDS, connection.abort)
        yield connection, await connection.start_sftp_client()
    except BaseException:
        connection.abort()  # a courteous close would wait for a server that may never answer
        raise
    else:
        connection.close()
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(connection.wait_closed(), FAREWELL_SECONDS)


async def _write(sftp: asyncssh.SFTPClient, path: str, chunks: Iterator[bytes], budget: Budget) -> int:
    """Write all chunks and close the file; what a failure leaves is removed where the server still answers."""
    file = await sftp.open(path, "wb", block_size=None)
    try:
        written = await _requests(file, max(sftp.limits.max_write_len, REQUEST), chunks, budget)
        await file.close()
    except BaseException:
        with suppress(TimeoutError, asyncssh.Error, OSError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await file.close()
                await sftp.remove(path)
        raise
    return written


async def _requests(file: asyncssh.SFTPClientFile, size: int, chunks: Iterator[bytes], budget: Budget) -> int:
    """Write requests of `size` bytes, in order, WRITE bytes of them on their way at any time; the bytes written.

    asyncssh would keep requests in flight within one write, and only within it: a round trip is lost between two, and
    with small requests much of the processor goes into waiting for all of them at once.
    """
    written = 0
    on_their_way: deque[asyncio.Task[int]] = deque()
    try:
        async with aclosing(_prefetched(chunks)) as pieces:
            async for piece in pieces:
                budget.left()
                for start in range(0, len(piece), size):
                    if len(on_their_way) * size >= WRITE:
                        await on_their_way.popleft()
                    request = piece[start : start + size]
                    on_their_way.append(asyncio.create_task(file.write(request, written)))
                    written += len(request)
        while on_their_way:
            await on_their_way.popleft()
    finally:
        for left in on_their_way:
            left.cancel()
        await asyncio.gather(*on_their_way, return_exceptions=True)
    return written


async def _prefetched(chunks: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same chunks; the next is read in a thread while one is being sent."""
    following = asyncio.ensure_future(asyncio.to_thread(next, chunks, None))
    try:
        while (chunk := await following) is not None:
            following = asyncio.ensure_future(asyncio.to_thread(next, chunks, None))
            yield chunk
    finally:
        following.cancel()
        await asyncio.wait([following])


async def _expect(sftp: asyncssh.SFTPClient, path: str, size: int) -> Confirmation:
    try:
        found = (await sftp.stat(path)).size
    except asyncssh.SFTPNoSuchFile:
        return "already collected"
    except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPOpUnsupported):
        return "not permitted"
    if found != size:
        raise UploadDiffers(f"{size} bytes of {path} were sent; the server holds {found}.")
    return "size"


async def _publish(sftp: asyncssh.SFTPClient, temporary: str, final: str, size: int) -> None:
    """Give the file its final name; a reply that was lost, or a twin that was faster, is a success."""
    try:
        await sftp.posix_rename(temporary, final)
    except asyncssh.SFTPOpUnsupported:
        try:
            await sftp.rename(temporary, final)
        except asyncssh.SFTPError:
            if await _expect(sftp, final, size) != "size":
                raise
            await _remove(sftp, temporary)
    except asyncssh.SFTPNoSuchFile:
        if await _expect(sftp, final, size) != "size":
            raise


async def _sweep(sftp: asyncssh.SFTPClient, server: Server, name: str) -> None:
    """Remove what killed attempts left of this name; a twin that is still at work finds the final name whole."""
    try:
        entries = await sftp.readdir(server.directory or ".")
    except asyncssh.SFTPError:
        return
    for entry in entries:
        left = str(entry.filename)
        if left.startswith(f".{name}.") and left.endswith(".part"):
            await _remove(sftp, server.path(left))


async def _remove(sftp: asyncssh.SFTPClient, path: str) -> None:
    try:
        await sftp.remove(path)
    except (asyncssh.Error, OSError):
        return  # gone already, or the connection is: the next attempt sweeps


def _run(work: Coroutine[Any, Any, T], server: Server) -> T:
    """Run one conversation on a loop of its own, within the budget, and translate asyncssh's errors."""
    place = f"{server.user}@{server.host}:{server.port}"

    async def bounded() -> T:
        asyncio.get_running_loop().set_default_executor(background.pool("sftp"))
        async with asyncio.timeout(server.budget.left()):
            return await work

    try:
        return asyncio.run(bounded())
    except asyncssh.HostKeyNotVerifiable:
        raise PartnerUntrusted(f"The server {server.host}:{server.port} shows a host key that is not pinned.") from None
    except asyncssh.PermissionDenied:
        raise PartnerRefused(f"The server does not accept our key for {place}.") from None
    except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPOpUnsupported, asyncssh.SFTPNoSuchFile) as error:
        raise PartnerRefused(f"The server refuses an operation for {place}: {type(error).__name__}.") from None
    except TimeoutError:
        server.budget.left()
        raise PartnerUnavailable(f"The server {place} did not answer in time.") from None
    except (asyncssh.Error, OSError) as error:
        server.budget.left()
        raise PartnerUnavailable(f"The connection to {place} failed: {type(error).__name__}.") from None
    finally:
        work.close()
