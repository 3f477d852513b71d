"""Files of revisions that another has followed: an upload of one that broke off may still leave half of it there."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.certify.partner import Shown
from pipeline.records.folder import SlotFolder


@dataclass(frozen=True, slots=True)
class Earlier:
    """A part of an earlier revision of which more uploads were announced than succeeded.

    `size` is that of the whole file; `open_attempts` are those of which half may still appear.
    """

    revision: int
    file_name: str
    size: int
    open_attempts: tuple[str, ...]

    def differs(self, shown: Shown) -> bool:
        """Whether the partner holds the file with another size."""
        return shown.sizes.get(self.file_name) not in (None, self.size)


def earlier(records: SlotFolder) -> tuple[Earlier, ...]:
    """Those of a slot. Raises ArchiveUnavailable, RecordDamaged."""
    found = []
    for revision in records.revisions[:-1]:
        folder = records.revision(revision)
        for part in folder.interrupted_parts:
            if (sealed := folder.sealed(part)) is not None:
                attempts = tuple(folder.open_attempts(part, folder.deliveries(part)))
                found.append(Earlier(revision, sealed.file_name, sealed.sealed.size, attempts))
    return tuple(found)
