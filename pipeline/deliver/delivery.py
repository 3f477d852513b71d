"""The main action: a delivery is planned, sealed and uploaded; a request for several is fanned out, one for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipeline import log
from pipeline.deliver.plan import plan_for
from pipeline.deliver.seal import seal
from pipeline.deliver.upload import upload
from pipeline.errors import MessageRejected, RowsRefused
from pipeline.messages import Request
from pipeline.records.schema import Plan
from pipeline.records.store import Folder
from pipeline.run import Run

FanOut = Callable[[list[Request]], None]
"""Has several requests carried out, each by a run of its own: the function publishes them, the command runs them."""


def deliver(request: Request, run: Run, fan_out: FanOut) -> None:
    """Carry out the request, or fan it out to one for each dataset, hour and part; what was done is not done again.

    Raises any PipelineError; what had been recorded until then is where the next attempt goes on.
    """
    singles = request.singles()
    if len(singles) > 1:
        with run.stage("fanout", window=str(request.window)) as figures:
            fan_out(singles)
            figures.add(messages=len(singles))
        return
    (slot,) = request.slots()
    with log.bound(dataset=slot.dataset, window=str(slot.window)):
        folder, plan = plan_for(request, run.records.folder(slot), run)
        if plan.empty:
            log.emit("delivery.empty", revision=folder.delivery.revision)
        elif folder.is_refused:
            raise RowsRefused(f"{folder.delivery} was refused when this message was first carried out.")
        elif len(plan.parts) > 1 and request.part is None:
            _fan_out_parts(replace(request, revision=folder.delivery.revision), folder, plan, run, fan_out)
        else:
            _deliver_part(request, folder, plan, run)


def _fan_out_parts(request: Request, folder: Folder, plan: Plan, run: Run, fan_out: FanOut) -> None:
    with run.stage("fanout", folder.delivery) as figures:
        fan_out([replace(request, part=part.part) for part in plan.parts])
        figures.add(messages=len(plan.parts))


def _deliver_part(request: Request, folder: Folder, plan: Plan, run: Run) -> None:
    delivery = folder.delivery
    part = plan.part(request.part or 1)
    if part is None:
        raise MessageRejected(f"{delivery} has {len(plan.parts)} parts; there is no part {request.part}.")
    sealed = folder.sealed(part.part) or seal(folder, plan, part, run, cause=request.cause)
    if not upload(folder, sealed, run, cause=request.cause, resend=request.resend):
        log.emit("delivery.unchanged", revision=delivery.revision, part=part.part)
        return
    latest = folder if len(plan.parts) == 1 else run.records.folder(delivery.slot).revision(delivery.revision)
    if latest.delivered_parts | {part.part} == {planned.part for planned in plan.parts}:
        log.emit("delivery.completed", revision=delivery.revision, rows=plan.rows, parts=len(plan.parts))
