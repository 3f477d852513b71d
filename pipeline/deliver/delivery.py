"""The main action: a delivery is planned, prepared and sent; a message for several is cut into one message each."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import log
from pipeline.deliver.plan import plan_for
from pipeline.deliver.seal import prepare
from pipeline.deliver.upload import send
from pipeline.errors import MessageRejected, RowsRefused, during
from pipeline.messages import Request, message
from pipeline.records.schema import Plan, Sealed
from pipeline.run import Run
from pipeline.window import Delivery, Slot


def deliver(request: Request, run: Run) -> None:
    """Carry out the request, or publish a message for each of its deliveries; what was done before is not done again.

    Raises any PipelineError; what had been recorded until then is where the next attempt goes on.
    """
    slots = request.slots()
    if len(slots) > 1:
        _fan_out(request, slots, run)
        return
    slot = slots[0]
    with log.bound(dataset=slot.dataset, window=str(slot.window)):
        _deliver(slot, request, run)


def _deliver(slot: Slot, request: Request, run: Run) -> None:
    folder = run.records.folder(slot)
    delivery, plan = plan_for(slot, request, folder, run)
    if plan.empty:
        log.emit("delivery.empty", revision=delivery.revision)
        return
    if folder.has(delivery.revision, "refused"):
        raise RowsRefused(f"{delivery} was refused when this message was first carried out.")
    if len(plan.parts) > 1 and request.part is None:
        _publish_parts(request, delivery, plan, run)
        return
    part = plan.part(request.part or 1)
    if part is None:
        raise MessageRejected(f"{delivery} has {len(plan.parts)} parts; there is no part {request.part}.")
    name = f"sealed-{part.part}"
    sealed = run.records.read(delivery, name, Sealed) if folder.has(delivery.revision, name) else None
    if sealed is None:
        sealed = prepare(delivery, plan, part, request, run)
    if send(delivery, sealed, request, folder, run) is None:
        log.emit("delivery.unchanged", revision=delivery.revision, part=part.part)
        return
    _say_when_complete(delivery, plan, run)


def _say_when_complete(delivery: Delivery, plan: Plan, run: Run) -> None:
    sent = run.records.folder(delivery.slot).numbers(delivery.revision, "delivered") if len(plan.parts) > 1 else []
    if len(plan.parts) == 1 or {part for part, _ in sent} == {part.part for part in plan.parts}:
        log.emit("delivery.completed", revision=delivery.revision, rows=plan.rows, parts=len(plan.parts))


def _fan_out(request: Request, slots: list[Slot], run: Run) -> None:
    with during("fanout"), log.stage("fanout", window=str(request.window)) as figures:
        messages = (message(request, slot) for slot in slots)
        figures.add(messages=run.topics.publish(run.settings.topic, messages, run.budget))


def _publish_parts(request: Request, delivery: Delivery, plan: Plan, run: Run) -> None:
    def messages() -> Iterator[bytes]:
        for part in plan.parts:
            yield message(request, delivery.slot, revision=delivery.revision, part=part.part)

    with during("fanout", str(delivery)), log.stage("fanout", revision=delivery.revision) as figures:
        figures.add(messages=run.topics.publish(run.settings.topic, messages(), run.budget))
