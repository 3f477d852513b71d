"""What a delivery will hold: decided once at one snapshot, recorded, and followed by every later attempt."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import timedelta
from typing import Final

from pipeline import log
from pipeline.clients.counts import Counted
from pipeline.contracts.dataset import Dataset
from pipeline.errors import MessageRejected, RecordDamaged, RowsRefused, SourceNotReady, during
from pipeline.messages import Request
from pipeline.records.schema import Broken, Plan, PlannedPart, Refused
from pipeline.records.store import Folder
from pipeline.run import VERSION, Run
from pipeline.window import Delivery, Slot, rfc3339

SPREAD: Final = 4
"""Standard deviations by which a hash-partitioned part may exceed the mean and still be under the limit."""


def plan_for(slot: Slot, request: Request, folder: Folder, run: Run) -> tuple[Delivery, Plan]:
    """The delivery that the request is about and its plan: the recorded one, or a new one.

    Raises SourceNotReady (nothing recorded), MessageRejected (a revision that does not exist), SourceUnavailable,
    ArchiveUnavailable, RecordDamaged, OutOfTime.
    """
    revision, known = _revision(slot, request, folder, run)
    while known is None:
        delivery = Delivery(slot, revision)
        with during("plan", str(delivery)), log.stage("plan", revision=revision) as figures:
            plan, _ = run.records.create(delivery, "plan", _counted(delivery, request, run))
            figures.add(rows=plan.rows, parts=len(plan.parts), snapshot=rfc3339(plan.snapshot))
        if request.revise and plan.cause != request.cause:
            revision += 1  # another revision was faster; its snapshot may be older than what this one is asked for
        else:
            known = plan
    return Delivery(slot, revision), known


def refuse(delivery: Delivery, part: int, rules: tuple[Broken, ...], request: Request, run: Run) -> RowsRefused:
    """Record that the rows broke the contract, and give the error to raise."""
    record = Refused(created=run.now(), version=VERSION, part=part, cause=request.cause, rules=rules)
    run.records.create(delivery, "refused", record)
    report = "; ".join(f"{rule.column} {rule.rule}: {rule.rows} rows" for rule in rules)
    log.emit("rows.refused", f"{delivery}: {report}", revision=delivery.revision, part=part)
    return RowsRefused(f"Rows break the contract: {report}. Hashed keys are in the record.")


def _revision(slot: Slot, request: Request, folder: Folder, run: Run) -> tuple[int, Plan | None]:
    """Which revision the request means, and its plan where there is one."""

    def read(revision: int) -> Plan | None:
        return run.records.read(Delivery(slot, revision), "plan", Plan)

    if request.revision is not None:
        plan = read(request.revision)
        if plan is None:
            raise MessageRejected(f"There is no revision {request.revision} of {slot}; leave the field out.")
        return request.revision, plan
    if not folder.revisions:
        return 1, None
    latest = folder.revisions[-1]
    if request.revise:
        for revision in reversed(folder.revisions):
            with suppress(RecordDamaged):  # a damaged plan is what `revise` is the way out of
                plan = read(revision)
                if plan is not None and plan.cause == request.cause:
                    return revision, plan
        return latest + 1, None
    plan = read(latest)
    if plan is None or request.resend:
        return latest, plan
    refused = folder.has(latest, "refused") and plan.cause != request.cause
    return (latest + 1, None) if refused or _out_of_reach(plan, latest, folder, run) else (latest, plan)


def _out_of_reach(plan: Plan, revision: int, folder: Folder, run: Run) -> bool:
    """The plan was never sealed whole, and its snapshot can no longer be read."""
    unsealed = any((part.part,) not in folder.numbers(revision, "sealed") for part in plan.parts)
    return unsealed and plan.snapshot < run.now() - timedelta(hours=run.settings.time_travel_hours)


def _counted(delivery: Delivery, request: Request, run: Run) -> Plan:
    dataset, window = run.dataset(delivery.slot.dataset), delivery.slot.window
    ready = run.source.readiness(dataset, run.budget)
    complete = ready.complete_until
    if complete is None or complete < window.end or ready.snapshot < window.end:
        state = f"complete until {rfc3339(complete)}" if complete else "not complete for any time"
        log.emit("source.late", None, complete_until=rfc3339(complete) if complete else None)
        raise SourceNotReady(f"{dataset.name} must be complete until {rfc3339(window.end)}; it is {state}.")
    (total,) = run.source.count(dataset, window, ready.snapshot, run.budget) or (_nothing(dataset),)
    parts = [total]
    if (number := _parts(total, run)) > 1:
        parts = run.source.count(dataset, window, ready.snapshot, run.budget, parts=number)
        parts += [_nothing(dataset, part) for part in range(1, number + 1) if part not in {one.part for one in parts}]
    return Plan(
        created=run.now(),
        version=VERSION,
        dataset=dataset.name,
        contract=dataset.version,
        start=window.start,
        end=window.end,
        revision=delivery.revision,
        snapshot=ready.snapshot,
        rows=total.rows,
        parts=tuple(_planned(part) for part in sorted(parts, key=lambda one: one.part))
        if total.rows or dataset.empty_file
        else (),
        cause=request.cause,
    )


def _parts(total: Counted, run: Run) -> int:
    """How many parts keep each under the limits, hash partitions being uneven by the square root of their size."""
    most = min(run.settings.max_part_rows, total.rows and _rows_within_bytes(total, run))
    if total.rows <= most:
        return 1
    mean = (math.sqrt(SPREAD**2 / 4 + most) - SPREAD / 2) ** 2  # the solution of mean + SPREAD * sqrt(mean) = most
    return math.ceil(total.rows / max(mean, 1))


def _rows_within_bytes(total: Counted, run: Run) -> int:
    return max(1, run.settings.max_part_bytes * total.rows // max(total.bytes, 1))


def _planned(counted: Counted) -> PlannedPart:
    return PlannedPart(
        part=counted.part,
        rows=counted.rows,
        keys=counted.keys,
        bytes=counted.bytes,
        fingerprint=counted.fingerprint,
        totals=counted.totals,
    )


def _nothing(dataset: Dataset, part: int = 1) -> Counted:
    return Counted(part, 0, 0, 0, "0", {str(total): None for total in dataset.totals})
