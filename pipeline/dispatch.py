"""Request -> action, and what becomes of a message that failed."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic_core import to_jsonable_python

from pipeline import log
from pipeline.budget import Budget
from pipeline.clients import bigquery as bigquery  # every delivery asks it: imported at the start, not at its first use
from pipeline.deliver.delivery import deliver
from pipeline.deliver.failure import noted
from pipeline.errors import (
    ArchiveDamaged,
    KeyUnusable,
    PartnerUntrusted,
    PipelineError,
    RecordDamaged,
    UploadTooSlow,
)
from pipeline.messages import Request, printable, write
from pipeline.records.schema import Answer, Failure
from pipeline.run import Run

if TYPE_CHECKING:
    from pipeline.certify.certification import Report

MOST_DATA: Final = 1_000_000
"""Characters of a message's data that are kept on the rejected topic: far more than any message of ours has."""

MOST_REASON: Final = 2_000

REJECTION_SECONDS: Final = 20.0
"""Time to reject a message, beyond the budget: within what the platform's limit leaves over it."""

_ALARMS: Final = {
    ArchiveDamaged: "archive.damaged",
    RecordDamaged: "archive.damaged",
    PartnerUntrusted: "partner.untrusted",
    KeyUnusable: "key.unusable",
    UploadTooSlow: "upload.too_slow",
}


def carry_out(request: Request, run: Run) -> None:
    """Do what the request asks for, and record the answer where somebody waits for it. Raises any PipelineError;
    ContractInvalid before anything is done."""
    try:
        result = _act(request, run)
    except PipelineError as error:
        if request.answer:
            place = " ".join(part for part in (error.stage, error.delivery) if part)
            failure = Failure(error.code, f"{place}: {error.message}" if place else error.message, error.retryable)
            run.records.add_answer(Answer(action=request.action, cause=request.cause, failure=failure))
        raise
    if request.answer:
        plain = to_jsonable_python(result)
        run.records.add_answer(Answer(action=request.action, cause=request.cause, result=plain))


def _act(request: Request, run: Run) -> object:
    """Carry it out. Nearly all messages ask for a delivery: other actions are imported when they are asked for."""
    if request.action != "verify":  # which says what is wrong with a contract, and leaves nothing behind
        run.contracts.archive()
    match request.action:
        case "deliver":
            with noted(request, run):
                deliver(request, run, partial(publish, run=run))
            return None
        case "certify":
            run.emit_recorded_alarms()
            return _certify(request, run)
        case "collect":
            from pipeline.collect.collection import collect

            run.emit_recorded_alarms()
            return collect(run)
        case "keys":
            from pipeline.keys import look_at_keys

            return look_at_keys(run)
        case "verify":
            from pipeline.verify import verify

            return verify(run)


def _certify(request: Request, run: Run) -> Report | None:
    """What certify found; a long window is fanned out by day, unless somebody waits for the answer."""
    from pipeline.certify import publication
    from pipeline.certify.certification import Report, by_day, certify

    days = by_day(request, run)
    if len(days) > 1 and not request.answer:
        publish(days, run)
        return None
    done = certify(request, run)
    publication.publish(run)
    if done.errors and not request.answer:
        raise done.errors[0]
    return Report.of([done])


def publish(requests: list[Request], run: Run) -> None:
    """Have each request carried out by a run of the function of its own. Raises TopicUnavailable, OutOfTime."""
    run.topics.publish(run.settings.topic, (write(request) for request in requests))


def alarm(error: PipelineError) -> None:
    """Log the event that an alert rests on, for the errors that a human must know of at the first attempt."""
    if (event := _ALARMS.get(type(error))) is not None:
        log.emit(event, str(error), code=error.code)


def reject(data: str, message_id: str, error: PipelineError, run: Run) -> None:
    """Put a message that can never succeed on the rejected topic with its reason. Raises TopicUnavailable.

    `data` is the message's data as it came, base64, of which at most MOST_DATA characters are kept, with its length;
    the reason stands beside it, and the code and the id as attributes.
    """
    shown, reason = printable(message_id), str(error)[:MOST_REASON]
    content = {
        "message_id": shown,
        "data": data[:MOST_DATA].encode("ascii", "backslashreplace").decode()[:MOST_DATA],
        "data_length": len(data),
        "code": error.code,
        "reason": reason,
    }
    attributes = {"code": error.code, "message_id": shown}
    last = replace(run, budget=Budget.of(REJECTION_SECONDS))  # the error may be that an upload used up all time
    last.topics.publish(run.settings.rejected_topic, [json.dumps(content).encode()], attributes)
    log.emit("message.rejected", reason, code=error.code)
