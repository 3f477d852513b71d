"""The function: a message from Pub/Sub in; raise is "deliver again", return is "acknowledged".

Deployed as a Cloud Function (2nd gen) with the entry point `handle`. Settings and clients are made by the first
request of an instance and kept; secrets are read at every run.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import traceback
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import functions_framework
from flask import Request

from pipeline.streams.memory import kept_for_good

with kept_for_good():
    from pipeline import dispatch, log, messages, settings
    from pipeline.budget import Budget
    from pipeline.clients.process import Start
    from pipeline.errors import FunctionCrashed, MessageRejected, PipelineError
    from pipeline.run import Deployment, Run

start: Final = Start()


@cache
def deployment() -> Deployment:
    """The settings, contracts and clients of this instance. Raises SettingsInvalid, ContractInvalid; then not kept."""
    return Deployment(settings.from_environment())


@functions_framework.http
def handle(request: Request) -> tuple[str, int]:
    """Carry out one message within the time budget.

    A subscription pushes `{"message": ..., "subscription": ...}`; the same in a CloudEvent, binary or structured, is
    taken as well. Returns where it was carried out, or can never be (then it is on the rejected topic). Raises a
    PipelineError where it may succeed later; the error is logged here and says nothing about rows or keys.
    """
    message = _message(request.get_json(force=True, silent=True))
    message_id = str(message.get("messageId") or message.get("message_id") or "without-id")
    execution = request.headers.get("Function-Execution-Id")
    with log.bound(trace=_trace(request), message_id=messages.printable(message_id), execution_id=execution):
        log.emit("run.started")
        failure: PipelineError | None = None
        try:
            _run(message, message_id)
        except PipelineError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  # a defect: its text may quote a row, so only its place is told
            failure = FunctionCrashed(f"{type(error).__name__} at {_place(error)}.")
            log.emit("run.crashed", str(failure), code=failure.code)
        if failure is not None:
            log.emit("run.failed", str(failure), code=failure.code, retryable=failure.retryable)
            raise failure.with_traceback(None) from None
        log.emit("run.completed")
    return "", 204


def _run(message: dict[str, Any], message_id: str) -> None:
    seconds = deployment().settings.time_budget_seconds
    run = Run(deployment(), Budget.of(max(seconds - start.took(), seconds / 2)))
    try:
        asked = messages.read(
            _data(message),
            message_id=message_id,
            published=_published(message),
            now=datetime.now(UTC),
            known=list(run.deployment.datasets),
            max_age=timedelta(hours=run.settings.max_message_age_hours),
        )
        dispatch.carry_out(asked, run)
    except PipelineError as error:
        dispatch.alarm(error)
        if error.retryable:
            raise
        dispatch.reject(_raw(message), message_id, error, run)


def _message(body: object) -> dict[str, Any]:
    """The message in what was posted; empty where there is none, which is refused for want of a publish time."""
    event: dict[str, Any] = body if isinstance(body, dict) else {}
    pushed = event.get("data") if "specversion" in event else event
    message = pushed.get("message") if isinstance(pushed, dict) else None
    return message if isinstance(message, dict) else {}


def _raw(message: dict[str, Any]) -> str:
    data = message.get("data")
    return data if isinstance(data, str) else ""


def _data(message: dict[str, Any]) -> bytes:
    if not isinstance(message.get("data"), str | None):
        raise MessageRejected(
            "The message's data is not text, as Pub/Sub sends it; leave it out for the last full hour."
        )
    try:
        return base64.b64decode(_raw(message), validate=True)
    except (binascii.Error, ValueError):
        raise MessageRejected("The message's data is not base64, as Pub/Sub sends it.") from None


def _published(message: dict[str, Any]) -> datetime:
    try:
        instant = datetime.fromisoformat(str(message.get("publishTime") or message.get("publish_time")))
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MessageRejected("The message has no publish time, as Pub/Sub sets it; was it made by hand?") from None


def _trace(request: Request) -> str:
    match = re.match(r"([0-9a-f]{32})", request.headers.get("X-Cloud-Trace-Context", ""))
    return f"projects/{os.environ.get('GOOGLE_CLOUD_PROJECT', '')}/traces/{match[1]}" if match else ""


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames[-4:]))
