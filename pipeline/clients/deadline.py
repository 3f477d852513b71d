"""HTTP within the budget: no request is begun when time is over, and none may outlast it.

Google's clients retry by themselves and raise some timeouts that they are given; the one place that all their requests
pass is the transport adapter of the session.
"""

from __future__ import annotations

from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter

from pipeline.budget import Budget


class BoundedAdapter(HTTPAdapter):
    """Sends requests while the budget of the present invocation lasts; without a budget it is an ordinary adapter."""

    budget: Budget | None = None

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
        if self.budget is not None:
            left = self.budget.left()
            given = timeout if isinstance(timeout, tuple) else (timeout, timeout)
            timeout = tuple(left if one is None else min(one, left) for one in given)
        return super().send(request, stream, timeout, verify, cert, proxies)


def bound_to_budget(session: Session) -> BoundedAdapter:
    """Make a session keep to a budget; set the adapter's `budget` at each invocation."""
    adapter = BoundedAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return adapter
