"""The recount of the source, in two depths: rows and their times of change for every hour, all columns where it is due.

All columns are read of an hour that was never certified as it is planned now, of one whose rows or times of
change are not those of its last certificate, and of every hour once in DEEP_HOURS and before it leaves the look-back:
that finds values which were altered without a new time of change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pipeline.clients.counts import HourCount, HourTotals, Readiness
from pipeline.records.schema import Certificate, Change, Plan
from pipeline.run import Run
from pipeline.window import HOUR, Slot, Window

DEEP_HOURS: Final = 24
NOTHING: Final = HourTotals(0, "0")


@dataclass(frozen=True, slots=True)
class Recount:
    """What the warehouse holds of one slot now, and how it differs from the plan.

    `fingerprint` is over all columns; where they were not read anew, that of the last certificate, which had as many
    rows with the same times of change. `ready` says whether the warehouse has finished it, and
    `complete_until` how far it is.
    """

    rows: int
    change_total: str
    fingerprint: str
    change: Change
    ready: bool
    complete_until: datetime | None = None

    @property
    def mark(self) -> str:
        """A short text that differs where the rows do."""
        text = json.dumps([self.rows, self.change_total, self.fingerprint])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def is_deep(slot: Slot, plan: Plan | None, previous: Certificate | None, now: HourTotals, window: Window) -> bool:
    """Whether all columns of the slot are to be read, in a look at the hours of `window`."""
    if plan is None:
        return False
    if previous is None or previous.change_total_now is None:
        return True
    if (previous.rows_now, previous.change_total_now) != (now.rows, now.change_total):
        return True
    leaves = slot.window.start == window.start
    return leaves or ((window.end - slot.window.end) // HOUR) % DEEP_HOURS == 0


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


def recount(
    slot: Slot,
    plan: Plan | None,
    previous: Certificate | None,
    now: HourTotals,
    deep: HourCount | None,
    ready: Readiness,
    run: Run,
) -> Recount:
    """The recount of one slot; `deep` is what all its columns came to, None where they were not read.

    Raises SourceUnavailable, OutOfTime.
    """
    complete = ready.complete_until is not None and ready.complete_until >= slot.window.end
    if plan is None:
        return Recount(now.rows, now.change_total, "0", Change(), complete, ready.complete_until)
    if deep is None:
        assert previous is not None
        return Recount(
            now.rows, now.change_total, previous.fingerprint_now, previous.change, complete, ready.complete_until
        )
    return Recount(
        deep.rows,
        now.change_total,
        deep.fingerprint,
        _change(slot, plan, deep, previous, ready.snapshot, run),
        complete,
        ready.complete_until,
    )


def _change(
    slot: Slot, plan: Plan, now: HourCount, previous: Certificate | None, snapshot: datetime, run: Run
) -> Change:
    """How the rows differ from those planned: nothing where rows and fingerprint are the same, else row by row."""
    if (now.rows, now.fingerprint) == (plan.rows, plan.fingerprint):
        return Change()
    if previous is not None and (previous.fingerprint_now, previous.rows_now) == (now.fingerprint, now.rows):
        return previous.change
    if plan.snapshot < snapshot - timedelta(hours=run.settings.time_travel_hours):
        more = now.rows - plan.rows
        return Change(added=max(more, 0), moved=max(-more, 0), altered=1 if more == 0 else 0)
    found = run.source.changes(run.contracts.of(plan), slot.window, plan.snapshot, snapshot)
    return Change(added=found.added, altered=found.altered, moved=found.moved, deleted=found.gone - found.moved)
