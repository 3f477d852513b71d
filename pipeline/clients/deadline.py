"""Requests within the budget: none is begun when time is over, none outlasts it, and only an answer is final.

Google's REST clients retry by themselves and raise some timeouts that they are given; the one place that all their
requests pass is the transport adapter of the session. Of the gRPC clients each try gets a time of its own, since a
request on a connection that is dead would else use up all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, TypeVar

from google.api_core import exceptions as api
from google.api_core.retry import Retry, if_exception_type
from google.auth.credentials import Credentials
from google.auth.transport.requests import AuthorizedSession
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter, HTTPAdapter

from pipeline.budget import Budget
from pipeline.clients.retries import noting
from pipeline.errors import PipelineError

Kind = TypeVar("Kind", bound=PipelineError)

GRPC_SECONDS: Final = 30.0
"""Longest time of one try of a small gRPC request."""

NO_ANSWER: Final = (
    api.ServiceUnavailable,
    api.DeadlineExceeded,
    api.InternalServerError,
    api.Unknown,
    api.Aborted,
    api.Cancelled,
    api.TooManyRequests,
)
"""What a gRPC client raises where the service has not said anything about what was asked."""


@dataclass(frozen=True, slots=True)
class EachTry:
    """A timeout of api_core's kind: gives every try of a call what is left, at most `most` seconds."""

    budget: Budget
    most: float = GRPC_SECONDS

    def __call__(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call with a timeout. It raises OutOfTime instead of beginning too late."""

        @wraps(call)
        def bounded(*arguments: Any, **options: Any) -> Any:
            return call(*arguments, **{**options, "timeout": self.budget.one_try(self.most)})

        return bounded


def asking(service: str, budget: Budget, most: float = GRPC_SECONDS) -> dict[str, Any]:
    """Timeout and retry of a gRPC call that may be repeated: asked again until there is an answer. Raises OutOfTime.

    `service` is its name in the events about retries.
    """
    note = noting(service, budget)
    retry = Retry(if_exception_type(*NO_ANSWER), initial=0.2, maximum=5.0, timeout=budget.waiting(), on_error=note)
    return {"timeout": EachTry(budget, most), "retry": retry}


def unanswered(kind: type[Kind], service: str, what: str, error: Exception, budget: Budget) -> Kind:
    """The error about a service that was asked until there was no time, or no patience, to ask again."""
    cause = type(getattr(error, "cause", None) or error).__name__
    waited = f" for {min(budget.patience, budget.seconds):.0f} s" if isinstance(error, api.RetryError) else ""
    made = kind(f"{service} did not answer{waited} ({cause}) for {what}.")
    made.silent = service
    return made


class BoundedAdapter(BaseAdapter):
    """Sends the requests of one run over the process's pool of connections, while the run's budget lasts."""

    def __init__(self, pool: HTTPAdapter, budget: Budget) -> None:
        super().__init__()
        self._pool = pool
        self._budget = budget

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send one request, its timeout cut to what is left. Raises OutOfTime instead of beginning too late."""
        left = self._budget.left()
        given = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        connect, read = (left if seconds is None else min(seconds, left) for seconds in given)
        return self._pool.send(request, stream, (connect, read), verify, cert, proxies)

    def close(self) -> None:
        """Nothing: the pool belongs to the process and outlives the run."""


def bounded_session(credentials: Credentials, pool: HTTPAdapter, budget: Budget) -> AuthorizedSession:
    """A session for one run: its requests keep to the budget and share the connections of `pool`."""
    session = AuthorizedSession(credentials)
    adapter = BoundedAdapter(pool, budget)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
