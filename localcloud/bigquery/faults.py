"""Misbehaviour on request: the one thing here that the real service does not have.

    POST /_faults   {"match": "ReadRows", "after": 3, "action": "error", "times": 1}
    DELETE /_faults

`match` is a REST method (`jobs.insert`, `jobs.getQueryResults`, `tables.get` ...) or a gRPC one (`CreateReadSession`,
`ReadRows`). `after` counts the messages of a stream that go out unharmed; -1 is after the last one. For a single
answer only 0, before the work, and -1, when the work is done but not answered, differ. `times` is how often it strikes.
Actions: `error` answers 503 or UNAVAILABLE, `hang` answers nothing until the client gives up, `close` breaks the
connection, `wrong-rows` leaves one message of a stream out and ends it well, and `refuse` answers a REST method with
`status`, `reason` and `message`, as BigQuery refuses what cannot be brought about here, such as a quota.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from .errors import invalid

Action = Literal["error", "hang", "close", "wrong-rows", "refuse"]


@dataclass(slots=True)
class Fault:
    match: str
    action: Action
    after: int = 0
    times: int = 1
    status: int = 400
    reason: str = "invalidQuery"
    message: str = ""


class Faults:
    """The faults that are waiting for their request. `stopping` ends every hang."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._waiting: list[Fault] = []
        self._guard = threading.Lock()

    def add(self, body: dict[str, Any]) -> None:
        unknown = set(body) - {one.name for one in fields(Fault)}
        if unknown or body.get("action") not in get_args(Action) or not body.get("match"):
            raise invalid(f"not a fault: {body}")
        with self._guard:
            self._waiting.append(Fault(**body))

    def clear(self) -> None:
        with self._guard:
            self._waiting.clear()

    def take(self, method: str) -> Fault | None:
        """The fault that strikes this request, counted down."""
        with self._guard:
            for fault in self._waiting:
                if fault.match == method:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return replace(fault)
        return None
