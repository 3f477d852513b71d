"""Hours, and what is delivered for them: pure arithmetic on half-open UTC windows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open range `[start, end)` of whole UTC hours; every instant belongs to exactly one hour.

    Raises ValueError where the bounds are not UTC, not on the hour, or not in order.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name, instant in (("start", self.start), ("end", self.end)):
            if instant.utcoffset() != timedelta(0):
                raise ValueError(f"{name} {instant} is not in UTC")
            if instant.replace(minute=0, second=0, microsecond=0) != instant:
                raise ValueError(f"{name} {instant.isoformat()} is not on the hour")
        if self.start >= self.end:
            raise ValueError(f"start {self.start.isoformat()} is not before end {self.end.isoformat()}")

    @classmethod
    def hour(cls, start: datetime) -> Window:
        """The hour that begins at `start`."""
        return cls(start, start + HOUR)

    @classmethod
    def last_full_hour_before(cls, instant: datetime) -> Window:
        """The latest hour that was over at `instant`; at 14:00:00 sharp that is 13:00 to 14:00."""
        end = instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return cls(end - HOUR, end)

    def hours(self) -> Iterator[Window]:
        """The single hours, earliest first."""
        start = self.start
        while start < self.end:
            yield Window.hour(start)
            start += HOUR

    def __len__(self) -> int:
        return int((self.end - self.start) / HOUR)

    def __str__(self) -> str:
        return f"{stamp(self.start)}/{stamp(self.end)}"


def stamp(instant: datetime) -> str:
    """An instant of a window as people and file names read it: `20261123T130000Z`."""
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def rfc3339(instant: datetime) -> str:
    """An instant as messages and records carry it: `2026-11-23T13:00:00Z`, with microseconds where it has them."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One dataset in one hour: what a delivery is for, whatever its revision."""

    dataset: str
    window: Window

    @property
    def folder(self) -> str:
        """Where its records and archived files are, under the bucket's own prefix: `payments/2026/11/23/1300`."""
        return f"{self.dataset}/{self.window.start:%Y/%m/%d/%H%M}"

    def __str__(self) -> str:
        return f"{self.dataset} {self.window}"


@dataclass(frozen=True, slots=True, order=True)
class Delivery:
    """A slot and its revision: the unit of work, of retry and of record."""

    slot: Slot
    revision: int

    @property
    def folder(self) -> str:
        """`payments/2026/11/23/1300/r1`."""
        return f"{self.slot.folder}/r{self.revision}"

    @classmethod
    def of_path(cls, path: str) -> Delivery | None:
        """The delivery in whose folder a record or an archived file is; None where the path has no such folder."""
        match = re.match(r"(\w+)/(\d{4}/\d\d/\d\d/\d\d00)/r(\d+)/", path)
        if match is None:
            return None
        start = datetime.strptime(match[2], "%Y/%m/%d/%H%M").replace(tzinfo=UTC)
        return cls(Slot(match[1], Window.hour(start)), int(match[3]))

    def __str__(self) -> str:
        return f"{self.slot} r{self.revision}"
