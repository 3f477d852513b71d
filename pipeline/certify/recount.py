"""The recount of one slot: what the warehouse holds of it now, as far as it was looked at, beside what was planned.

`depths` says how deep a look is. What it left out stands as the last certificate has it, and without one as the plan
has it: with its time, so that nothing claims more than was read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.clients.counts import NOTHING, Counted, HourCount, Readiness
from pipeline.records.schema import Certificate, Change, Plan
from pipeline.run import Run
from pipeline.window import Slot


@dataclass(frozen=True, slots=True)
class Recount:
    """What the warehouse holds of one slot now, and how it differs from the plan.

    `fingerprint` is over all columns; where they were not read anew, that of the last certificate, or of the plan,
    which had as many rows with the same times of change. `counted` and `compared` as in the certificate. `ready` says
    whether the warehouse has finished it, and `complete_until` how far it is.
    """

    rows: int
    change_total: str
    fingerprint: str
    change: Change
    ready: bool
    complete_until: datetime | None = None
    counted: datetime | None = None
    compared: datetime | None = None

    @property
    def mark(self) -> str:
        """A short text that differs where the rows do."""
        text = json.dumps([self.rows, self.change_total, self.fingerprint])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def recount(
    slot: Slot, plan: Plan | None, previous: Certificate | None, counted: Counted, ready: Readiness, run: Run
) -> Recount:
    """The recount of one slot, of what one look counted. Raises SourceUnavailable, OutOfTime."""
    start, snapshot = slot.window.start, ready.snapshot
    until, complete = ready.complete_until, ready.complete_until is not None and ready.complete_until >= slot.window.end
    columns, totals = counted.columns.get(start), counted.totals.get(start)
    if plan is None:
        now = totals or NOTHING
        return Recount(now.rows, now.change_total, "0", Change(), complete, until, snapshot)
    if columns is not None:
        now, change = columns.totals, _change(slot, plan, columns, previous, snapshot, run)
        return Recount(
            now.rows, now.change_total, columns.fingerprint, change, complete, until, snapshot, compared=snapshot
        )
    if previous is None:
        assert totals is not None
        return Recount(totals.rows, totals.change_total, plan.fingerprint, Change(), complete, until, snapshot)
    assert previous.change_total_now is not None
    return Recount(
        previous.rows_now,
        previous.change_total_now,
        previous.fingerprint_now,
        previous.change,
        complete,
        until,
        counted=snapshot if totals is not None else previous.counted or previous.created,
        compared=previous.compared,
    )


def _change(
    slot: Slot, plan: Plan, now: HourCount, previous: Certificate | None, snapshot: datetime, run: Run
) -> Change:
    """How the rows differ from those planned: nothing where rows and fingerprint are the same, else row by row."""
    rows = now.totals.rows
    if (rows, now.fingerprint) == (plan.rows, plan.fingerprint):
        return Change()
    if previous is not None and (previous.fingerprint_now, previous.rows_now) == (now.fingerprint, rows):
        return previous.change
    if plan.snapshot < snapshot - timedelta(hours=run.settings.time_travel_hours):
        more = rows - plan.rows
        return Change(added=max(more, 0), moved=max(-more, 0), altered=1 if more == 0 else 0)
    found = run.source.changes(run.contracts.of(plan), slot.window, plan.snapshot, snapshot)
    return Change(added=found.added, altered=found.altered, moved=found.moved, deleted=found.gone - found.moved)
