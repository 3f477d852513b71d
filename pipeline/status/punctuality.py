"""How punctual a dataset was, against what its contract promises; pure, from the cells of a period."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipeline.contracts.promise import Promise
from pipeline.status.grid import Cell


@dataclass(frozen=True, slots=True)
class Punctuality:
    """Of how many windows with rows how many were at the partner in time; `promise` is what the contract says."""

    dataset: str
    promise: Promise
    windows: int
    in_time: int

    @property
    def percent(self) -> float:
        """Per cent in time; 100 where there was nothing to send."""
        return 100.0 * self.in_time / self.windows if self.windows else 100.0

    @property
    def is_kept(self) -> bool:
        """Whether the promise is kept."""
        return self.percent >= self.promise.percent

    def __str__(self) -> str:
        minutes, days = f"{self.promise.minutes:g}", self.promise.days
        return (
            f"{self.dataset}: {_rounded_down(self.percent)} % within {minutes} minutes over {days} days "
            f"({self.in_time:,} of {self.windows:,} windows), promised {self.promise.percent:g} %"
        )


def punctuality(dataset: str, promise: Promise, cells: Iterable[Cell], now: datetime) -> Punctuality:
    """Judge the windows of a period; one whose time is not over yet counts only if it is at the partner.

    A window without rows is no delivery and does not count. One that should have been sent and was not counts as late.
    """
    windows = in_time = 0
    for cell in cells:
        if cell.state == "empty" or (cell.late is None and now < cell.slot.window.end + promise.within):
            continue
        if cell.late is None and cell.revision == 0 and not (cell.certified and cell.state == "missing"):
            continue  # nothing is planned, and certify has not found that there was anything to send
        windows += 1
        in_time += cell.late is not None and cell.late <= promise.within
    return Punctuality(dataset, promise, windows, in_time)


def _rounded_down(percent: float) -> str:
    """One decimal, never rounded up to what was not reached."""
    return f"{int(percent * 10) / 10:g}"
