"""HTTP within the budget: no request is begun when time is over, and none may outlast it.

Google's clients retry by themselves and raise some timeouts that they are given; the one place that all their requests
pass is the transport adapter of the session.
"""

from __future__ import annotations

from typing import Any

from google.auth.credentials import Credentials
from google.auth.transport.requests import AuthorizedSession
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter, HTTPAdapter

from pipeline.budget import Budget


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
