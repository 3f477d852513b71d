"""Put a file on the partner's SFTP server, and confirm that it is there.

What is asked is what AWS Transfer in front of S3 permits: no attributes are ever set, no directory is made, nothing is
appended, files are opened for writing only. An ordinary server gets a temporary name and a rename, so that nobody ever
sees half a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.budget import Budget
from pipeline.clients import connection
from pipeline.clients.connection import (
    CLEANUP_SECONDS,
    FAILURES,
    NOT_PERMITTED,
    Connection,
    Loop,
    NoSuchFile,
    SftpClient,
    SftpError,
    Unsupported,
)
from pipeline.clients.sending import send
from pipeline.clients.ssh import Protection, Server
from pipeline.errors import UploadDiffers

REQUEST: Final = 32_000
"""Bytes of one write request, where the server does not say that it takes more. Every server should take an SFTP packet
of 34,000 bytes (draft-ietf-secsh-filexfer-02, section 3); with its header this request fits SSH's 32 KiB packet too."""

Confirmation = Literal["size", "not permitted", "already collected"]


@dataclass(frozen=True, slots=True)
class Placed:
    """What is known of a file after it was put: `confirmation` says how we know."""

    bytes: int
    confirmation: Confirmation
    host_key: str
    protection: Protection


def put(
    chunks: Iterator[bytes],
    server: Server,
    name: str,
    *,
    attempt: str,
    rename: bool,
    is_alone: Callable[[], bool] = lambda: True,
    sweep: bool = True,
    line: Loop | None = None,
) -> Placed:
    """Write the chunks under `name`, replacing what stands there, and confirm the size where that is permitted.

    With `rename` the name appears complete or not at all. An error of `chunks` closes the connection before the name
    is published. What a failure leaves is removed: the temporary name, and the final one only where `is_alone`, asked
    then, says that it cannot be another attempt's. With `sweep`, temporary files of killed attempts are removed
    too. `line` is an open connection, of no use after an error; without one a connection is made. Raises
    PartnerUntrusted, PartnerRefused, PartnerUnavailable, UploadDiffers, OutOfTime, and whatever `chunks` raises.
    """

    async def work(opened: Connection) -> Placed:
        sftp, final = opened.sftp, server.path(name)
        target = server.path(f".{name}.{attempt}.part") if rename else final
        size = await _write(sftp, target, chunks, server.budget, (lambda: True) if rename else is_alone)
        if rename:
            try:
                await _expect(sftp, target, size)
                await _publish(sftp, target, final, size)
            except (*FAILURES, UploadDiffers):
                await _remove(sftp, target)
                raise
            if sweep:
                await _sweep(sftp, server, name)
        confirmation = await _expect(sftp, final, size)
        return Placed(size, confirmation, opened.shown.host_key, opened.shown.protection)

    async def connected() -> Placed:
        async with connection.connected(server) as opened:
            return await work(opened)

    if line is None:
        return connection.run(connected(), server)
    try:
        return line.run(work(line.connection))
    except BaseException:
        line.broken = True  # dropped, not closed in order: that would give half a file its name
        raise


async def _write(
    sftp: SftpClient, path: str, chunks: Iterator[bytes], budget: Budget, is_ours: Callable[[], bool]
) -> int:
    """Write all chunks and close the file; what a failure leaves is removed where the server still answers.

    Where the name may be another attempt's, the file is not even closed: that would put half a file in its place.
    """
    file = await sftp.open(path, "wb", block_size=None)
    try:
        written = await send(file, max(sftp.limits.max_write_len, REQUEST), chunks, budget)
        await file.close()
    except BaseException:
        with suppress(*FAILURES):
            async with asyncio.timeout(CLEANUP_SECONDS):
                if await asyncio.to_thread(is_ours):
                    await file.close()
                    await sftp.remove(path)
        raise
    return written


async def _expect(sftp: SftpClient, path: str, size: int) -> Confirmation:
    try:
        held = (await sftp.stat(path)).size
    except NoSuchFile:
        return "already collected"
    except NOT_PERMITTED:
        return "not permitted"
    if held != size:
        raise UploadDiffers(f"{size} bytes of {path} were sent; the server holds {held}.")
    return "size"


async def _publish(sftp: SftpClient, temporary: str, final: str, size: int) -> None:
    """Give the file its final name; a lost reply, or a concurrent attempt that was faster, is a success."""
    try:
        await sftp.posix_rename(temporary, final)
    except Unsupported:
        try:
            await sftp.rename(temporary, final)
        except SftpError:
            if await _expect(sftp, final, size) != "size":
                raise
            await _remove(sftp, temporary)
    except NoSuchFile:
        if await _expect(sftp, final, size) != "size":
            raise


async def _sweep(sftp: SftpClient, server: Server, name: str) -> None:
    """Remove temporary files of killed attempts; a concurrent attempt that loses its own finds the final name whole."""
    try:
        entries = await sftp.readdir(server.directory or ".")
    except SftpError:
        return
    for entry in entries:
        left = str(entry.filename)
        if left.startswith(f".{name}.") and left.endswith(".part"):
            await _remove(sftp, server.path(left))


async def _remove(sftp: SftpClient, path: str) -> None:
    with suppress(*FAILURES):  # gone already, or the connection is: the next attempt sweeps
        await sftp.remove(path)
