"""One SFTP session as AWS Transfer Family serves it in front of S3."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import asyncssh
from asyncssh import SFTPAttrs, SFTPName

from localcloud.partner.bucket import Bucket, Upload
from localcloud.partner.faults import Fault, Faults, OperationName
from localcloud.partner.handle import Handle, handle_of, shown
from localcloud.partner.journal import Entry, Journal
from localcloud.partner.refusals import Refusals, in_words


class Session(Refusals):
    """Answers as AWS does: what S3 cannot do is refused, and nothing is visible before its handle is closed.

    `denied` holds what the partner's role does not permit: any of stat, list, read, rename, remove. `over` is set from
    outside when the client is gone.
    """

    def __init__(
        self,
        channel: "asyncssh.SSHServerChannel[bytes]",
        bucket: Bucket,
        faults: Faults,
        journal: Journal,
        denied: frozenset[str],
    ) -> None:
        super().__init__(channel, os.fsencode(bucket.root), journal)
        self._bucket = bucket
        self._faults = faults
        self._denied = denied
        self.over = False
        self._severed = False
        self._late = 0.0

    async def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> Handle:
        """Open for reading, or for writing a whole new object; no update in place, no append."""
        name = shown(path)
        async with self._request("open", name):
            target = self._local(path)
            if not pflags & asyncssh.FXF_WRITE:
                if "read" in self._denied:
                    raise asyncssh.SFTPPermissionDenied("Access denied")
                return Handle(name, target.open("rb", buffering=0))
            if pflags & (asyncssh.FXF_READ | asyncssh.FXF_APPEND) or not pflags & asyncssh.FXF_CREAT:
                raise asyncssh.SFTPOpUnsupported("Only whole objects can be written")
            if target.exists() and not pflags & asyncssh.FXF_TRUNC:
                raise asyncssh.SFTPFailure("An object cannot be changed in place")
            return Handle(name, self._bucket.upload(target))

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Store `data`; entered in the journal as one sum when the handle is closed."""
        handle, upload = _writing(file_obj)
        self._refuse_if_severed()
        size = len(data)
        fault = self._faults.due("write", handle.path, offset + size)
        if fault is None:
            kept = data if handle.ends_at is None else data[: max(handle.ends_at - offset, 0)]
            upload.write(offset, kept)
        elif fault.action == "flip":
            upload.write(offset, _flipped(data, fault.after_bytes - offset))
        elif fault.action == "lose":
            upload.write(offset, data)
            self._cut(fault)
        else:
            upload.write(offset, data[: max(fault.after_bytes - offset, 0)])
            if fault.action != "short":
                await self._suffer(fault)
            handle.ends_at = fault.after_bytes
        handle.bytes += size
        return size

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Serve up to `size` bytes; entered in the journal as one sum when the handle is closed."""
        handle = handle_of(file_obj)
        if isinstance(handle.file, Upload):
            raise asyncssh.SFTPPermissionDenied("Opened for writing")
        data = os.pread(handle.file.fileno(), size, offset)
        fault = self._faults.due("read", handle.path, offset + len(data)) if data else None
        if fault is not None and fault.action == "flip":
            data = _flipped(data, fault.after_bytes - offset)
        elif fault is not None and fault.action == "short":
            handle.ends_at = fault.after_bytes
        elif fault is not None and fault.action == "lose":
            self._cut(fault)
        elif fault is not None:
            await self._suffer(fault)
        if handle.ends_at is not None:
            data = data[: max(handle.ends_at - offset, 0)]
        handle.bytes += len(data)
        return data

    async def close(self, file_obj: object) -> None:
        """Make a written object visible. A session that ends without a close leaves the part that came."""
        handle = handle_of(file_obj)
        upload = handle.file
        self.journal.add(Entry("write" if isinstance(upload, Upload) else "read", handle.path, handle.bytes))
        if self.over:
            self._bucket.dropped(upload, self._late) if isinstance(upload, Upload) else upload.close()
            self.journal.add(Entry("close", handle.path, handle.bytes, "cut"))
            return
        if not isinstance(upload, Upload):
            upload.close()
            async with self._request("close", handle.path, handle.bytes):
                return
        try:
            async with self._request("close", handle.path, handle.bytes) as fault:
                if fault is not None and fault.action == "short":
                    upload.discard()
                else:
                    upload.publish()
        except asyncssh.SFTPConnectionLost:
            self._bucket.dropped(upload, self._late)
            raise
        except asyncssh.SFTPFailure:
            upload.discard()
            raise

    async def stat(self, path: bytes) -> SFTPAttrs:
        """Describe a visible object; one that is still being written does not exist."""
        async with self._request("stat", shown(path)) as fault:
            return _described(self._local(path), fault)

    async def lstat(self, path: bytes) -> SFTPAttrs:
        """Answer as `stat`: S3 knows no links."""
        return await self.stat(path)

    async def fstat(self, file_obj: object) -> SFTPAttrs:
        """Give the size of an open file."""
        handle = handle_of(file_obj)
        async with self._request("stat", handle.path):
            file = handle.file
            return SFTPAttrs(size=file.size() if isinstance(file, Upload) else os.fstat(file.fileno()).st_size)

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        """List visible objects in the order of their keys. Needs no permission to stat them."""
        async with self._request("list", shown(path)) as fault:
            children = sorted(self._local(path).iterdir())
        for child in children:
            yield SFTPName(os.fsencode(child.name), attrs=_described(child, fault))

    async def remove(self, path: bytes) -> None:
        """Delete an object."""
        async with self._request("remove", shown(path)):
            self._local(path).unlink()

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Move one object to a name that is free; never onto another, never a directory."""
        async with self._request("rename", shown(oldpath), to=shown(newpath)):
            source, target = self._local(oldpath), self._local(newpath)
            if target.exists() or source.is_dir():
                raise asyncssh.SFTPFailure("Only an object, and only to a new name")
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            self._bucket.arrived(target)

    @asynccontextmanager
    async def _request(
        self, operation: OperationName, path: str, size: int = 0, to: str = ""
    ) -> AsyncIterator[Fault | None]:
        self._refuse_if_severed()
        fault = self._faults.due(operation, path)
        answer = "failure"
        try:
            if operation in self._denied or (fault is not None and fault.action == "deny"):
                raise asyncssh.SFTPPermissionDenied("Access denied")
            if fault is not None and fault.action in ("error", "hang", "drop"):
                await self._suffer(fault)
            yield fault
            answer = "ok"
            if fault is not None and fault.action == "lose":
                answer = "lost"
                self._cut(fault)
        except asyncssh.SFTPError as error:
            answer = in_words(error)
            raise
        except FileNotFoundError:
            answer = "no such file"
            raise
        finally:
            self.journal.add(Entry(operation, path, size, answer, to))

    async def _suffer(self, fault: Fault) -> NoReturn:
        self._late = fault.late
        if fault.action == "error":
            raise asyncssh.SFTPFailure("Internal error")
        if fault.action == "hang":
            await self.channel.wait_closed()
            self._severed = True
        else:
            self._cut(fault)
        raise asyncssh.SFTPConnectionLost("Connection lost")

    def _cut(self, fault: Fault) -> None:
        self._severed = True
        self._late = fault.late
        self.connection.abort()

    def _refuse_if_severed(self) -> None:
        """Raise for a request that had arrived but was not handled when the connection was cut: it never happened."""
        if self._severed:
            raise asyncssh.SFTPConnectionLost("Connection lost")

    def _local(self, path: bytes) -> Path:
        return Path(os.fsdecode(self.map_path(path)))


def _writing(file_obj: object) -> tuple[Handle, Upload]:
    handle = handle_of(file_obj)
    if not isinstance(handle.file, Upload):
        raise asyncssh.SFTPPermissionDenied("Opened for reading")
    return handle, handle.file


def _described(path: Path, fault: Fault | None) -> SFTPAttrs:
    attrs = SFTPAttrs.from_local(path.stat())
    if fault is not None and fault.action == "lie" and attrs.size:
        attrs.size -= 1
    return attrs


def _flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[max(position, 0)] ^= 1
    return bytes(changed)
