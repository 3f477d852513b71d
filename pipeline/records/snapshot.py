"""The records bucket as one listing saw it, each object read once: what a period is judged and packed from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from pipeline.clients.storage import Bucket
from pipeline.errors import ArchiveUnavailable
from pipeline.records.folder import DELIVERIES
from pipeline.records.returns import RETURNS
from pipeline.records.store import CONTRACTS
from pipeline.streams import background
from pipeline.window import Delivery, Window

READERS: Final = 16
"""Objects that are read at a time: each is one small request."""


class Snapshot(Bucket):
    """Some objects of a bucket by their names, all of them read; nothing can be created in it.

    Raises ArchiveUnavailable where a listed object is gone, OutOfTime.
    """

    def __init__(self, bucket: Bucket, listed: Mapping[str, datetime], observe: Callable[[int], None]) -> None:
        self.name = bucket.name
        self._listed = listed

        def content(name: str) -> bytes:
            found = bucket.read(name)
            if found is None:
                raise ArchiveUnavailable(f"{bucket.name}/{name} was listed and is gone.")
            observe(1)
            return found

        with background.pool("snapshot", READERS) as readers:
            self.contents: Mapping[str, bytes] = dict(zip(listed, readers.map(content, listed), strict=True))

    def create(self, name: str, content: bytes, content_type: str = "application/json") -> bool:
        """Nothing is created in a snapshot."""
        raise NotImplementedError(name)

    def read(self, name: str) -> bytes | None:
        """The content as it was read; None for what is not part of the snapshot."""
        return self.contents.get(name)

    def read_again(self, name: str) -> bytes | None:
        """As `read`."""
        return self.read(name)

    def created(self, prefix: str) -> dict[str, datetime]:
        """When each object under the prefix was created, by the store's clock; in order of name."""
        return {name: at for name, at in sorted(self._listed.items()) if name.startswith(prefix)}


def of_deliveries(names: Iterable[str], datasets: Collection[str], window: Window) -> list[str]:
    """The names that belong to deliveries of the window's hours."""
    return [name for name in names if _is_of(name.removeprefix(f"{DELIVERIES}/"), name, datasets, window)]


def of_returns(names: Iterable[str]) -> list[str]:
    """The names of records of returned files."""
    return [name for name in names if name.startswith(f"{RETURNS}/")]


def of_contracts(names: Iterable[str], datasets: Collection[str]) -> list[str]:
    """The names of the archived contracts of these datasets."""
    return [name for name in names if name.startswith(tuple(f"{CONTRACTS}/{dataset}/" for dataset in datasets))]


def _is_of(path: str, name: str, datasets: Collection[str], window: Window) -> bool:
    delivery = Delivery.of_path(path) if path != name else None
    if delivery is None or delivery.slot.dataset not in datasets:
        return False
    return window.start <= delivery.slot.window.start < window.end
