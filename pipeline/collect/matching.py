"""Which delivery a returned file answers, by the name of ours that stands in its name, and what it says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipeline.collect.rows import Unreadable, reasons
from pipeline.contracts.dataset import Dataset, recognised
from pipeline.contracts.returned import Description, Descriptions, Reason
from pipeline.records.folder import Folder
from pipeline.records.store import Records
from pipeline.window import Delivery, Slot, Window, rfc3339


@dataclass(frozen=True, slots=True)
class About:
    """The delivery whose file name stands in a returned file's name."""

    dataset: str
    start: datetime
    revision: int
    part: int

    @property
    def delivery(self) -> Delivery | None:
        """The delivery; None where the name is like ours and there is no such hour."""
        try:
            return Delivery(Slot(self.dataset, Window.hour(self.start)), self.revision)
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        return f"{self.dataset} {rfc3339(self.start)} r{self.revision}, part {self.part}"


def about(name: str, contracts: Iterable[Dataset]) -> About | None:
    """The delivery that a name speaks of; None where it holds no name of ours."""
    found = recognised(name, contracts)
    return None if found is None else About(found[0].series, *found[1])


def sent(subject: About, records: Records) -> Folder | None:
    """The records of the delivery, if the part was ever sent, or begun to be. Raises ArchiveUnavailable."""
    if subject.delivery is None:
        return None
    folder = records.folder(subject.delivery.slot).revision(subject.delivery.revision)
    is_sent = subject.part in folder.delivered_parts or bool(folder.attempts(subject.part))
    return folder if is_sent else None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a returned file says: whether it is an error, whether it acknowledges, its rows where they were read.

    `problem` says why they could not be, or why no description was used.
    """

    error: bool
    acknowledges: bool
    description: Description | None = None
    reasons: tuple[Reason, ...] | None = None
    problem: str | None = None


def meaning(name: str, content: bytes | bytearray | None, known: Descriptions, error_pattern: str) -> Meaning:
    """What a file says by the description of it, or by its name alone; `content` None: it could not be read.

    What cannot be read is no acknowledgement; where its rows would have decided, it is an error.
    """
    description = known.of(name)
    if description is None:
        error = re.search(error_pattern, name) is not None
        return Meaning(error, not error and content is not None, problem=known.problem(name))
    rows: tuple[Reason, ...] | None = None
    problem = None
    if description.format is not None:
        try:
            rows = None if content is None else reasons(content, description)
        except Unreadable as unread:
            problem = f"Its rows are not as {description.name} says: {unread}."
    error = description.means == "error" or (description.means == "rows" and rows != ())
    acknowledges = content is not None and (
        description.means == "acknowledgement" or (description.means == "rows" and rows == ())
    )
    return Meaning(error, acknowledges, description, rows, problem)
