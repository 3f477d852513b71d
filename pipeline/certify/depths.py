"""How deep certify looks at an hour of the source: not at all, at rows and times of change, or at all columns.

By the hourly message rows and times of change, one column, are counted of an hour that is up to YOUNG hours old, at 6
hours and every 12, in the look before the last, and in every look at an hour that is not planned, was not certified
yet, or needs attention. All columns are read every 24 hours, in the last look, and where rows or times are not those of
the plan or of the last certificate. In the other looks what was counted last stands, and the certificate says when that
was. So a row that comes late, goes or changes again is found by the next look at rows and times, and a value that was
altered without a new time of change within 24 hours. All columns of an hour that was asked for are read.

Every look leaves a certificate of each hour that has none, so hours without one show that looks did not happen. What
was due in those is made up for by the next, in hours that have left the look-back since then, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from pipeline.certify.evidence import Recorded
from pipeline.clients.counts import NOTHING, Counted, HourCount, HourTotals
from pipeline.contracts.dataset import Dataset
from pipeline.run import Run
from pipeline.states import STATES
from pipeline.window import HOUR, Window

YOUNG: Final = 4
EARLY: Final = 6
OLD_HOURS: Final = 12
DEEP_HOURS: Final = 24
MOST_MISSED: Final = 24
"""Hours of looks that are made up for; a day is long enough for somebody to hear that nothing is certified."""

Depth = Literal["nothing", "totals", "columns"]


def hours_since_look(recorded: Iterable[Recorded], end: datetime) -> int:
    """How many hours ago the look before this one was, which is 1 by the hour; `end` is that of the look-back."""
    ages = (_age(one, end) for one in recorded if not _has_certificate(one))
    return max((age for age in ages if age <= MOST_MISSED), default=1)


def due(hours: int, look_back: int, since: int = 1) -> Depth:
    """How deep to look so many hours after the end of an hour, of which nothing speaks for looking deeper, where the
    look before was `since` hours ago.
    """
    depths = {_due_at(age, look_back) for age in range(max(hours - since, 0) + 1, hours + 1)}
    return "columns" if "columns" in depths else "totals" if "totals" in depths else "nothing"


def _due_at(hours: int, look_back: int) -> Depth:
    if hours >= look_back or hours % DEEP_HOURS == 0:
        return "columns"
    if hours <= YOUNG or hours == EARLY or hours % OLD_HOURS == 0 or hours == look_back - 1:
        return "totals"
    return "nothing"


def depth(one: Recorded, hours: int, look_back: int, since: int = 1) -> Depth:
    """How deep to look at a slot so many hours after the end of its hour; `since` as in `due`."""
    plan, previous = one.plan, one.previous
    if plan is None:
        return "totals"
    was_compared = previous is not None and previous.compared is not None
    scheduled = due(hours, look_back, since)
    if scheduled == "columns" or (hours >= DEEP_HOURS and not was_compared):
        return "columns"
    if previous is None:
        return "columns" if plan.change_total is None or one.folder.is_refused else "totals"
    if previous.change_total_now is None:
        return "columns"
    return "totals" if STATES[previous.verdict].needs_attention else scheduled


def count(
    recorded: Sequence[Recorded], window: Window, snapshot: datetime, run: Run, *, since: int, everything: bool
) -> Counted:
    """Count the slots of one dataset at the snapshot, in a look at the hours of `window`, `since` as in `due`; with
    `everything`, by all columns. Raises SourceUnavailable, OutOfTime.
    """
    totals: dict[datetime, HourTotals] = {}
    columns: dict[datetime, HourCount] = {}
    depths = {one.slot: _depth(one, window, since, everything=everything) for one in recorded}
    shallow = [one for one in recorded if depths[one.slot] == "totals"]
    for contract, starts in _by_contract(shallow).items():
        found = run.source.hour_totals(contract, list(runs_of(starts)), snapshot)
        totals |= {start: found.get(start, NOTHING) for start in starts}
    changed = [one for one in shallow if one.plan is not None and _is_changed(one, totals[one.slot.window.start])]
    deep = [one for one in recorded if depths[one.slot] == "columns"]
    for contract, starts in _by_contract([*deep, *changed]).items():
        read = run.source.hours(contract, list(runs_of(starts)), snapshot)
        columns |= {start: read.get(start, HourCount(NOTHING, "0")) for start in starts}
    return Counted({start: one for start, one in totals.items() if start not in columns}, columns)


def runs_of(starts: Collection[datetime]) -> Iterator[Window]:
    """The hours that begin at these instants, neighbours together."""
    run: Window | None = None
    for start in sorted(starts):
        if run is not None and run.end == start:
            run = Window(run.start, start + HOUR)
            continue
        if run is not None:
            yield run
        run = Window.hour(start)
    if run is not None:
        yield run


def _depth(one: Recorded, window: Window, since: int, *, everything: bool) -> Depth:
    if everything:
        return "columns" if one.plan is not None else "totals"
    return depth(one, _age(one, window.end), len(window), since)


def _has_certificate(one: Recorded) -> bool:
    """Whether the hour was ever certified, in any revision; 0 is that of an hour without a plan."""
    records = one.folder.records
    return any(records.revision(number).certified_at for number in (0, *records.revisions))


def _age(one: Recorded, end: datetime) -> int:
    """Hours since the slot's end, in a look whose look-back ends an hour before it."""
    return (end - one.slot.window.end) // HOUR + 1


def _is_changed(one: Recorded, now: HourTotals) -> bool:
    """Whether rows or times of change are not those of the last certificate or, without one, of the plan."""
    plan, previous = one.plan, one.previous
    if previous is not None:
        return (previous.rows_now, previous.change_total_now) != (now.rows, now.change_total)
    return plan is not None and (plan.rows, plan.change_total) != (now.rows, now.change_total)


def _by_contract(recorded: Sequence[Recorded]) -> dict[Dataset, list[datetime]]:
    """The starts of the hours by the contract that their deliveries belong to."""
    found: dict[Dataset, list[datetime]] = {}
    for one in recorded:
        found.setdefault(one.contract, []).append(one.slot.window.start)
    return found
