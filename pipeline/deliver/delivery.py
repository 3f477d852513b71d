"""The main action: a delivery is planned, sealed and uploaded; a request for several is fanned out, one for each.

A delivery of several parts is fanned out twice: to seal each part, and, when all of them are sealed, to upload each.
So a row that breaks the contract in any part keeps all of them here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final

from pipeline import log
from pipeline.clients import connection
from pipeline.clients.connection import Loop
from pipeline.clients.counts import PartCount
from pipeline.deliver.plan import plan_for
from pipeline.deliver.seal import Keys, seal, sealing_keys
from pipeline.deliver.upload import Pieces, checked, is_settled, upload
from pipeline.errors import ArchiveUnavailable, MessageRejected, RowsRefused, SourceNotReady
from pipeline.messages import Request
from pipeline.records.folder import Folder, SlotFolder
from pipeline.records.schema import Plan, Sealed
from pipeline.run import Run
from pipeline.streams.background import Preparation, together

DONE: Final = ("r1/plan", "r1/delivered-1-1")
"""What there is to read of a message that comes again once nearly every delivery is done."""

SOON_SENT: Final = 8 * 1024 * 1024
"""Estimated bytes of a file that is sealed in about the time that a login takes: then the login begins with it. A
partner's server need not wait for more."""

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
        records = run.records.folder(slot, likely=DONE)
        if not records.revisions and not run.dataset(slot.dataset).covers(slot.window):
            log.emit("delivery.not_due")
            return
        with closing(Preparation(partial(sealing_keys, run))) as keys:
            late = records.has_failed(SourceNotReady.code)
            if not late and (request.revise or not records.revisions):
                keys.begin()  # while the warehouse counts
            _carry_on(request, records, run, fan_out, keys)


def _carry_on(request: Request, records: SlotFolder, run: Run, fan_out: FanOut, keys: Preparation[Keys]) -> None:
    """Plan the slot if it is not planned, and do what is left to do of the plan."""
    folder, plan = plan_for(request, records, run)
    if plan.empty:
        log.emit("delivery.empty", revision=folder.delivery.revision)
    elif folder.is_refused:
        raise RowsRefused(f"{folder.delivery} was refused when this message was first carried out.")
    elif len(plan.parts) == 1:
        _deliver_whole(request, folder, plan, run, keys)
    elif request.part is None:
        _fan_out_parts(request, folder, plan, run, fan_out)
    else:
        _deliver_part(request, folder, plan, run, keys, fan_out)


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a part is uploaded from where it was sealed just now, and the connection that is being opened for it."""

    sealed: Sealed
    pieces: Pieces | None
    line: Preparation[Loop]


def _deliver_part(
    request: Request, folder: Folder, plan: Plan, run: Run, keys: Preparation[Keys], fan_out: FanOut
) -> None:
    """Seal one part of several, or upload it once all of them are sealed; the last to be sealed has all uploaded.

    Two parts that are sealed at the same time may both find all sealed, and a message that comes again finds it again:
    then parts are asked for twice, and the second time nothing is done.
    """
    part = _planned(request, folder, plan)
    if request.upload and _all_sealed(folder, plan):
        _upload(request, folder, plan, part, run)
        return
    if part.part not in folder.sealed_parts:
        seal(folder, plan, part, run, keys, cause=request.cause, record=folder.create_sealed)
        folder = _afresh(folder, run)
    if _all_sealed(folder, plan):
        _fan_out_parts(request, folder, plan, run, fan_out)
    else:
        log.emit("delivery.waiting", revision=folder.delivery.revision, part=part.part)


def _deliver_whole(request: Request, folder: Folder, plan: Plan, run: Run, keys: Preparation[Keys]) -> None:
    part = _planned(request, folder, plan)
    if part.part in folder.sealed_parts:
        _upload(request, folder, plan, part, run)
        return
    with closing(Preparation(lambda: connection.loop(run.partner()))) as line:
        if part.bytes <= SOON_SENT:
            line.begin()
        listed, sealed, pieces = _seal_alone(folder, plan, part, run, keys, request.cause)
        _upload(request, listed, plan, part, run, _Ready(sealed, pieces, line))


def _seal_alone(
    folder: Folder, plan: Plan, part: PartCount, run: Run, keys: Preparation[Keys], cause: str
) -> tuple[Folder, Sealed, Pieces | None]:
    """Seal the only part; the records as they are then, the record that holds, and the archived bytes if they are ours.

    It is recorded while the listing that comes before sending is made, and the first archived bytes are read. Nobody
    can have delivered before the part was sealed: where the record is ours, the listing comes early enough.
    """
    ours: list[tuple[Folder, Pieces]] = []

    def record(made: Sealed) -> Sealed:
        holds: Sealed
        holds, listed, pieces = together(
            partial(folder.create_sealed, made), partial(_afresh, folder, run), partial(checked, made, run)
        )
        if holds is made:
            ours.append((listed, pieces))
        else:
            pieces.close()
        return holds

    sealed = seal(folder, plan, part, run, keys, cause=cause, record=record)
    if ours:
        listed, pieces = ours[0]
        return listed, sealed, pieces
    return _afresh(folder, run), sealed, None


def _fan_out_parts(request: Request, folder: Folder, plan: Plan, run: Run, fan_out: FanOut) -> None:
    """One message for each part to be uploaded where all are sealed, else for each to be sealed."""
    revision, upload = folder.delivery.revision, _all_sealed(folder, plan)
    with run.stage("fanout", folder.delivery) as figures:
        numbers = [part.part for part in plan.parts if upload or part.part not in folder.sealed_parts]
        fan_out([replace(request, revision=revision, part=number, upload=upload) for number in numbers])
        figures.add(messages=len(numbers))


def _upload(
    request: Request,
    folder: Folder,
    plan: Plan,
    part: PartCount,
    run: Run,
    ready: _Ready | None = None,
) -> None:
    """Upload one part, unless it was uploaded; `ready` is what is at hand where it was sealed just now."""
    delivery = folder.delivery
    if is_settled(folder, part.part, cause=request.cause, resend=request.resend):
        if ready is not None and ready.pieces is not None:
            ready.pieces.close()
        log.emit("delivery.unchanged", revision=delivery.revision, part=part.part)
        return
    sealed = ready.sealed if ready else folder.sealed(part.part)
    if sealed is None:
        raise ArchiveUnavailable(f"The record of sealed part {part.part} of {delivery} was listed and is gone.")
    pieces, line = (ready.pieces, ready.line) if ready else (None, None)
    with closing(Preparation(lambda: nullcontext(_was_overdue(folder)))) as overdue:
        if delivery.revision == 1 and run.deployment.promises.get(delivery.slot.dataset):
            overdue.begin()  # while it is sent, so that nobody waits for it
        upload(folder, sealed, run, cause=request.cause, pieces=pieces, line=line)
        delivered = {part.part} if len(plan.parts) == 1 else _afresh(folder, run).delivered_parts | {part.part}
        if delivered == {planned.part for planned in plan.parts}:
            _complete(folder, plan, run, overdue, again=part.part in folder.delivered_parts)


def _complete(folder: Folder, plan: Plan, run: Run, overdue: Preparation[bool], *, again: bool) -> None:
    """Say that all parts are at the partner, and whether in the time that the contract promises.

    `in_time` is what Terraform's alerts on the promise count: once a slot, so not again where certify found it overdue.
    Nothing is said of one that was complete before (`again`). Hours before the look-back are a backfill, which nobody
    was promised in time.
    """
    delivery = folder.delivery
    late = run.now() - delivery.slot.window.end
    figures: dict[str, log.Value] = {"revision": delivery.revision, "late_seconds": late.total_seconds()}
    promise = run.deployment.promises.get(delivery.slot.dataset)
    is_due = delivery.revision == 1 and not again and late <= timedelta(hours=run.settings.look_back_hours)
    if promise is None or not is_due:
        log.emit("delivery.completed", rows=plan.rows, parts=len(plan.parts), **figures)
        return
    is_late = late > promise.within
    in_time = None if is_late and overdue.ready() else not is_late
    log.emit("delivery.completed", rows=plan.rows, parts=len(plan.parts), in_time=in_time, **figures)
    if is_late:
        run.alarm("delivery.late", f"{delivery}: promised {promise}.", **figures)


def _was_overdue(folder: Folder) -> bool:
    """Whether a certificate says so that was listed; those of an hour that nothing was planned for are revision 0's."""
    certificates = (folder.records.revision(revision).certificate() for revision in (0, 1))
    return any(certificate is not None and certificate.overdue for certificate in certificates)


def _planned(request: Request, folder: Folder, plan: Plan) -> PartCount:
    part = plan.part(request.part or 1)
    if part is None:
        raise MessageRejected(f"{folder.delivery} has {len(plan.parts)} parts; there is no part {request.part}.")
    return part


def _all_sealed(folder: Folder, plan: Plan) -> bool:
    return not folder.is_refused and folder.sealed_parts >= {part.part for part in plan.parts}


def _afresh(folder: Folder, run: Run) -> Folder:
    """The same delivery's records as they are now."""
    return run.records.folder(folder.delivery.slot).revision(folder.delivery.revision)
