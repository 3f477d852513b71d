"""A directory that behaves as an S3 bucket behind AWS Transfer Family: an object is there whole, or not at all."""

import asyncio
import os
import tempfile
from pathlib import Path


class Upload:
    """One object on its way in. Nothing is visible until `publish`; any number may be under way for one name."""

    def __init__(self, bucket: "Bucket", target: Path) -> None:
        self._bucket = bucket
        self._target = target
        self._descriptor, self._draft = tempfile.mkstemp(dir=bucket.incoming)

    def write(self, offset: int, data: bytes) -> None:
        """Store `data` at `offset`, straight to the file: memory stays flat whatever the size."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            offset, view = offset + written, view[written:]

    def size(self) -> int:
        """Return the bytes stored so far."""
        return os.fstat(self._descriptor).st_size

    def publish(self) -> None:
        """Make the object visible in one step, in place of any earlier one: the last of several writers wins."""
        os.close(self._descriptor)
        self._target.parent.mkdir(parents=True, exist_ok=True)  # a key's prefix needs no creation in S3
        Path(self._draft).chmod(0o644)
        Path(self._draft).replace(self._target)
        self._bucket.arrived(self._target)

    def discard(self) -> None:
        """Forget the object; an earlier one of that name stays."""
        os.close(self._descriptor)
        Path(self._draft).unlink()


class Bucket:
    """Objects under `root`. With `collect_after` (seconds) the partner takes each away that long after its arrival.

    `late` seconds after a session was dropped, what it had open is stored: AWS takes 300 to 1,800 (its user guide,
    "Managing users" and "partial uploads"). `store_late_parts` stores them at once.

    Beside `root`, and hidden from clients, lie `<root>.incoming` (unfinished objects) and `<root>.collected` (what the
    partner took, under the same names).
    """

    def __init__(self, root: Path, collect_after: float | None = None, late: float = 0) -> None:
        self.root = root.resolve()
        self.incoming = self.root.with_name(self.root.name + ".incoming")
        self.collected = self.root.with_name(self.root.name + ".collected")
        self._collect_after = collect_after
        self._late = late
        self._late_parts: dict[Upload, asyncio.TimerHandle] = {}
        for directory in (self.root, self.incoming):
            directory.mkdir(parents=True, exist_ok=True)

    def upload(self, target: Path) -> Upload:
        """Begin an object that will be visible at `target`."""
        return Upload(self, target)

    def arrived(self, path: Path) -> None:
        """Have the object collected, at once or later."""
        if self._collect_after is None:
            return
        if self._collect_after == 0:
            self._collect(path)
        else:
            asyncio.get_running_loop().call_later(self._collect_after, self._collect, path)

    def dropped(self, upload: Upload, late: float) -> None:
        """Store what came before the session was dropped, at once or `late` seconds from now."""
        seconds = late or self._late
        if not seconds:
            upload.publish()
            return
        self._late_parts[upload] = asyncio.get_running_loop().call_later(seconds, self._store, upload)

    def store_late_parts(self) -> None:
        """Store every part that waits, as if its time had come."""
        for upload, timer in list(self._late_parts.items()):
            timer.cancel()
            self._store(upload)

    def _store(self, upload: Upload) -> None:
        del self._late_parts[upload]
        upload.publish()

    def _collect(self, path: Path) -> None:
        if not path.exists():  # renamed, removed or already collected in the meantime
            return
        destination = self.collected / path.relative_to(self.root)
        destination.parent.mkdir(parents=True, exist_ok=True)
        path.replace(destination)
