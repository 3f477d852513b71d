"""Retries that are seen: where a service is asked again, an event says so, at once and then once a minute.

The clients of Google's services repeat a request in silence for as long as they are allowed to. Without the event a
run that waits for a failing service until its time is over leaves nothing in the log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final, cast

from google.api_core import exceptions as api
from google.api_core.retry import Retry, if_exception_type

from pipeline import log
from pipeline.budget import Budget

PAUSE_SECONDS: Final = 60.0
"""Between two events of one run about the same service and the same kind of error."""

WHILE_UNAVAILABLE: Final = Retry(if_exception_type(api.ServiceUnavailable), maximum=5.0)
"""For streams, whose default retry would repeat an overrun deadline."""

_said: dict[tuple[Budget, str, str], float] = {}
_saying = threading.Lock()


def noting(service: str, budget: Budget) -> Callable[[Exception], None]:
    """What notes each error after which a request that begins now is sent again; `service` as people call it.

    The events have the labels of the caller, whichever thread sends the request.
    """
    began, labels = time.monotonic(), copy_context()

    def note(error: Exception) -> None:
        answer = getattr(error, "cause", None) or error  # the last error, where a retry within this one gave up
        now, kind = time.monotonic(), type(answer).__name__
        if _is_due((budget, service, kind), now):
            labels.copy().run(_emit, service, kind, now - began)

    return note


def noted(retry: Retry, service: str, budget: Budget) -> Retry:
    """The same retry, for one request that begins now, whose errors are noted."""
    return cast("Retry", _Noted(retry, noting(service, budget)))


@dataclass(frozen=True, slots=True)
class _Noted:
    """What the clients do with a retry: they wrap a call in it."""

    retry: Retry
    note: Callable[[Exception], None]

    def __call__(self, call: Callable[..., Any], on_error: Callable[[Exception], Any] | None = None) -> Any:
        return self.retry(call, on_error or self.note)


def _is_due(key: tuple[Budget, str, str], now: float) -> bool:
    with _saying:
        for other in [other for other in _said if other[0].deadline < now]:
            del _said[other]
        due = now >= _said.get(key, -PAUSE_SECONDS) + PAUSE_SECONDS
        if due:
            _said[key] = now
    return due


def _emit(service: str, error: str, seconds: float) -> None:
    message = f"{service} did not do what was asked ({error}); it is asked again."
    log.emit("service.retry", message, service=service, error=error, seconds=round(seconds, 3))
