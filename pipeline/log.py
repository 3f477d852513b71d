"""Structured events, one JSON line each on stdout, as Cloud Logging reads them; a block may send them elsewhere.

An event has a name from the table below, its fields (dataset, window, revision, rows, bytes, seconds ...), and what
was bound for the run: message, execution and trace. Never row data, never key material: values come from our own
sentences and counters alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal, TextIO

from pipeline.errors import PipelineError
from pipeline.states import STATES, Severity
from pipeline.window import Delivery

Value = str | int | float | bool | None
Stage = Literal["fanout", "plan", "seal", "upload", "certify", "collect", "keys", "verify"]
"""What a run does, by the one name that module, events, errors and prose have for it."""


@dataclass(frozen=True, slots=True)
class Event:
    """What an event means to the person on call; `alert` says that Terraform has an alert policy on it."""

    severity: Severity
    meaning: str
    alert: bool = False


def _stage(what: str, failed: Severity = "ERROR") -> dict[str, Event]:
    return {
        "started": Event("INFO", f"{what} begins."),
        "completed": Event("INFO", f"{what} is done; rows, bytes and seconds are in the event."),
        "failed": Event(failed, f"{what} stopped; code says why, retryable says whether it is tried again."),
    }


_STAGES: Final[Mapping[Stage, Mapping[str, Event]]] = {
    "plan": _stage("Counting the window at one snapshot", "WARNING"),
    "seal": _stage("Extracting, checking, archiving, signing and encrypting", "WARNING"),
    "upload": _stage("Sending the sealed file and confirming it", "WARNING"),
    "fanout": _stage("Publishing one message for each delivery", "WARNING"),
    "certify": _stage("Certifying a window from the source to the partner", "WARNING"),
    "collect": _stage("Fetching what the partner returned", "WARNING"),
    "keys": _stage("Looking at keys and host keys", "WARNING"),
    "verify": _stage("Trying secrets, permissions, hosts, tables and topics", "WARNING"),
}

EVENTS: Final[Mapping[str, Event]] = {
    **{f"{stage}.{end}": event for stage, ends in _STAGES.items() for end, event in ends.items()},
    "run.started": Event("INFO", "A message was received."),
    "run.completed": Event("INFO", "The message was carried out and is acknowledged."),
    "run.failed": Event("ERROR", "The message failed and is delivered again; code and message say why.", alert=True),
    "run.crashed": Event("CRITICAL", "A defect of ours stopped the run; the place is named, no data.", alert=True),
    "message.rejected": Event("ERROR", "A message that can never succeed went to the rejected topic.", alert=True),
    "service.retry": Event("WARNING", "A service failed or gave no answer and is asked again; at most once a minute."),
    "source.late": Event("WARNING", "The warehouse has not finished the window; it is tried again.", alert=True),
    "rows.refused": Event("ERROR", "Rows break the contract; the delivery is refused and nothing sent.", alert=True),
    "rows.waiting": Event(
        "WARNING", "Rows break the contract before they are published; they wait, the rest is sent.", alert=True
    ),
    "rows.uncounted": Event("WARNING", "Rows in quarantine could not be counted; certificates do not name them."),
    "archive.damaged": Event("CRITICAL", "An archived object or a record is not what was written.", alert=True),
    "partner.unavailable": Event("WARNING", "The partner could not be asked what it holds; the last answer stands."),
    "upload.too_slow": Event(
        "ERROR", "The partner takes a file too slowly for any invocation; it is given up.", alert=True
    ),
    "partner.untrusted": Event("CRITICAL", "The partner's server showed a host key that is not pinned.", alert=True),
    "delivery.empty": Event("INFO", "The window has no rows; recorded, nothing is sent."),
    "delivery.not_due": Event("INFO", "The window is outside the time for which the contract's files are sent."),
    "delivery.unchanged": Event("INFO", "The window was delivered before; nothing was done."),
    "delivery.waiting": Event("INFO", "A part is sealed; nothing is sent before all parts of the delivery are."),
    "delivery.late": Event("WARNING", "A delivery came later than its contract promises.", alert=True),
    "delivery.overdue": Event(
        "WARNING", "The time that the contract promises is over, and the delivery is not at the partner.", alert=True
    ),
    "delivery.completed": Event("NOTICE", "Every part of the delivery is at the partner."),
    **{state.event: Event(state.severity, state.meaning, state.alert) for state in STATES.values() if state.event},
    "window.resent": Event("WARNING", "A file that was sent is sent again.", alert=True),
    "window.unjudged": Event("ERROR", "A window could not be judged; the others were.", alert=True),
    "window.republished": Event("WARNING", "A hole was found and its window was published again.", alert=True),
    "ledger.page": Event(
        "INFO", "A page of the ledger was made and signed: hour, records and SHA-256 are in the event."
    ),
    "ledger.failed": Event("ERROR", "The ledger could not be extended; the next certify makes up for it.", alert=True),
    "page.written": Event("INFO", "The page of all deliveries was written; object names it in the records bucket."),
    "page.failed": Event("WARNING", "The page of all deliveries could not be written; the next certify does."),
    "returns.error": Event("ERROR", "The partner returned an error file.", alert=True),
    "returns.failed": Event(
        "WARNING", "A returned file could not be collected, opened, read or matched; problem says why.", alert=True
    ),
    "returns.incomplete": Event("INFO", "A returned file is still being written; the next run looks again."),
    "returns.received": Event("NOTICE", "The partner returned a file; it is archived."),
    "contract.ending": Event("WARNING", "A contract ends soon: days_left is 30, 14, 7, 1 or less.", alert=True),
    "key.expiring": Event("WARNING", "A key expires soon: days_left is 30, 14, 7, 1 or less.", alert=True),
    "key.unusable": Event("CRITICAL", "A key is expired, revoked or cannot do its work.", alert=True),
    "key.unchecked": Event("WARNING", "A key could not be looked at: a service or a server did not answer."),
    "key.usable": Event("INFO", "A key was looked at and is usable; days_left is in the event."),
    "hostkey.changed": Event("CRITICAL", "A pinned host key is not what the server shows.", alert=True),
}

ALERTS: Final[tuple[str, ...]] = tuple(name for name, event in EVENTS.items() if event.alert)

_NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})
_bound: ContextVar[Mapping[str, Value]] = ContextVar("bound", default=_NOTHING)
_trace: ContextVar[str] = ContextVar("trace", default="")
_destination: ContextVar[Callable[[], TextIO | None]] = ContextVar("destination", default=lambda: sys.stdout)


@contextmanager
def bound(*, trace: str = "", **labels: Value) -> Iterator[None]:
    """Put these labels on every event of the block; `trace` is the full resource name of the request's trace."""
    labels_token = _bound.set({**_bound.get(), **labels})
    trace_token = _trace.set(trace or _trace.get())
    try:
        yield
    finally:
        _bound.reset(labels_token)
        _trace.reset(trace_token)


def labels() -> Mapping[str, Value]:
    """What is bound for the events of the block."""
    return _bound.get()


@contextmanager
def written_to(stream: TextIO | None) -> Iterator[None]:
    """Write the events of the block to this stream instead of stdout; None: nowhere."""
    token = _destination.set(lambda: stream)
    try:
        yield
    finally:
        _destination.reset(token)


def emit(name: str, message: str | None = None, /, **fields: Value) -> None:
    """Write one event of the table; its severity comes from there. Raises KeyError for a name that is not in it."""
    event = EVENTS[name]
    line: dict[str, object] = {
        "severity": event.severity,
        "message": message or event.meaning,
        "event": name,
        "time": datetime.now(UTC).isoformat(),
        **{key: value for key, value in {**_bound.get(), **fields}.items() if value is not None},
    }
    labels = {key: str(value) for key, value in _bound.get().items() if value is not None}
    if labels:
        line["logging.googleapis.com/labels"] = labels
    if trace := _trace.get():
        line["logging.googleapis.com/trace"] = trace
    if (stream := _destination.get()()) is not None:
        stream.write(json.dumps(line, default=str) + "\n")
        stream.flush()


@dataclass(slots=True)
class Figures:
    """What a stage counted; added to its `completed` event."""

    values: dict[str, Value] = field(default_factory=dict)

    def add(self, **values: Value) -> None:
        """Remember these figures for the stage's last event."""
        self.values.update(values)


@contextmanager
def stage(name: Stage, delivery: Delivery | None = None, **fields: Value) -> Iterator[Figures]:
    """Emit `name.started`, then `name.completed` with figures and seconds, or `name.failed` with the error's code.

    An error that passes is given the stage and the delivery before it is logged, unless it knows a closer place.
    """
    if delivery is not None:
        fields = {"revision": delivery.revision, **fields}
    began = time.monotonic()
    figures = Figures()
    emit(f"{name}.started", **fields)
    try:
        yield figures
    except PipelineError as error:
        error.happened_in(name, str(delivery) if delivery else None)
        seconds = round(time.monotonic() - began, 3)
        emit(f"{name}.failed", str(error), **fields, code=error.code, retryable=error.retryable, seconds=seconds)
        raise
    emit(f"{name}.completed", **fields, **figures.values, seconds=round(time.monotonic() - began, 3))
