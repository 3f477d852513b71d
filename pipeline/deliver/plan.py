"""What a delivery will hold: decided once at one snapshot, recorded, and followed by every later attempt."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import timedelta
from typing import Final

from pipeline import log
from pipeline.clients.counts import PartCount, Readiness
from pipeline.contracts.dataset import Dataset
from pipeline.errors import MessageRejected, RecordDamaged, SourceNotReady
from pipeline.messages import Request
from pipeline.records.folder import Folder, SlotFolder
from pipeline.records.schema import Plan
from pipeline.run import Run
from pipeline.window import Slot, Window, rfc3339

SPREAD: Final = 4
"""Standard deviations by which a hash-partitioned part may exceed the mean and still be under the limit."""


def plan_for(request: Request, records: SlotFolder, run: Run) -> tuple[Folder, Plan]:
    """The delivery that a request for one slot is about, and its plan: the recorded one, or a new one.

    Raises SourceNotReady (nothing recorded), MessageRejected (a revision that does not exist), SourceUnavailable,
    ArchiveUnavailable, RecordDamaged, OutOfTime.
    """
    revision, known = _revision(request, records, run)
    waited = records.has_failed(SourceNotReady.code)
    while known is None:
        folder = records.revision(revision)
        with run.stage("plan", folder.delivery) as figures:
            plan = folder.create_plan(_counted(records.slot, revision, request.cause, run, waited=waited))
            figures.add(rows=plan.rows, parts=len(plan.parts), snapshot=rfc3339(plan.snapshot))
        if request.revise and plan.cause != request.cause:
            revision += 1  # another revision was first; its snapshot may be older than what this one is asked for
        else:
            known = plan
    return records.revision(revision), known


def _revision(request: Request, records: SlotFolder, run: Run) -> tuple[int, Plan | None]:
    """Which revision the request means, and its plan where there is one."""
    if request.revision is not None:
        plan = records.revision(request.revision).plan()
        if plan is None:
            raise MessageRejected(f"There is no revision {request.revision} of {records.slot}; leave the field out.")
        return request.revision, plan
    if not records.revisions:
        return 1, None
    latest = records.latest
    revision = latest.delivery.revision
    if request.revise:
        for earlier in reversed(records.revisions):
            with suppress(RecordDamaged):  # a damaged plan is what `revise` is the way out of
                plan = records.revision(earlier).plan()
                if plan is not None and plan.cause == request.cause:
                    return earlier, plan
        return revision + 1, None
    plan = latest.plan()
    if plan is None or request.resend:
        return revision, plan
    refused = latest.is_refused and plan.cause != request.cause
    return (revision + 1, None) if refused or _out_of_reach(plan, latest, run) else (revision, plan)


def _out_of_reach(plan: Plan, folder: Folder, run: Run) -> bool:
    """The plan was never sealed whole, and its snapshot can no longer be read."""
    unsealed = {part.part for part in plan.parts} - folder.sealed_parts
    return bool(unsealed) and plan.snapshot < run.now() - timedelta(hours=run.settings.time_travel_hours)


def _counted(slot: Slot, revision: int, cause: str, run: Run, *, waited: bool) -> Plan:
    """The plan as the warehouse counts it now. `waited`: the source was late before, so a query that reads no rows asks
    first whether it still is. Raises SourceNotReady.
    """
    dataset, window = run.contracts.current(slot.dataset), slot.window
    if waited:
        _complete(run.source.readiness(dataset), dataset, window)
    ready, total = run.source.look(dataset, window)
    _complete(ready, dataset, window)
    parts = [total]
    limits = run.settings
    if (number := parts_needed(total, limits.max_part_rows, limits.max_part_bytes)) > 1:
        parts = run.source.count(dataset, window, ready.snapshot, parts=number)
        counted = {part.part for part in parts}
        parts += [_nothing(dataset, part) for part in range(1, number + 1) if part not in counted]
    return Plan(
        dataset=slot.dataset,
        contract=dataset.version,
        contract_sha256=dataset.sha256,
        start=window.start,
        end=window.end,
        revision=revision,
        snapshot=ready.snapshot,
        rows=total.rows,
        parts=tuple(sorted(parts, key=lambda part: part.part)) if total.rows or dataset.empty_file else (),
        cause=cause,
    )


def _complete(ready: Readiness, dataset: Dataset, window: Window) -> None:
    complete = ready.complete_until
    if complete is None or complete < window.end or ready.snapshot < window.end:
        state = f"complete until {rfc3339(complete)}" if complete else "not complete for any time"
        log.emit("source.late", None, complete_until=rfc3339(complete) if complete else None)
        raise SourceNotReady(f"{dataset.name} must be complete until {rfc3339(window.end)}; it is {state}.")


def parts_needed(total: PartCount, most_rows: int, most_bytes: int) -> int:
    """How many parts keep each under the limits, hash partitions being uneven by the square root of their size."""
    if not total.rows:
        return 1
    most = min(most_rows, max(1, most_bytes * total.rows // max(total.bytes, 1)))
    if total.rows <= most:
        return 1
    mean = (math.sqrt(SPREAD**2 / 4 + most) - SPREAD / 2) ** 2  # the solution of mean + SPREAD * sqrt(mean) = most
    return math.ceil(total.rows / max(mean, 1))


def _nothing(dataset: Dataset, part: int = 1) -> PartCount:
    return PartCount(part, 0, 0, 0, "0", {str(total): None for total in dataset.totals}, change_total="0")
