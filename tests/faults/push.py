"""A message pushed to the function by hand, as Pub/Sub pushes it: the test decides when it comes again."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from localcloud.pubsub.message import PUSH_HEADERS, Message, push_body
from pipeline.window import Window, rfc3339


@dataclass(frozen=True, slots=True)
class Answer:
    """What Pub/Sub would see: the HTTP status, None where the connection broke; how long it took."""

    status: int | None
    seconds: float

    @property
    def acknowledges(self) -> bool:
        """The message would not come again."""
        return self.status is not None and self.status < 300


def message(data: bytes) -> Message:
    """A message published now, with an id of its own."""
    return Message(uuid.uuid4().hex[:16], data, {}, "", datetime.now(UTC))


def asking_for(window: Window, *datasets: str, **flags: bool) -> Message:
    """The message that asks for these datasets of a window; `resend=True` or `revise=True` as people write them."""
    bounds = {"start": rfc3339(window.start), "end": rfc3339(window.end)}
    return message(json.dumps({"window": bounds, "datasets": list(datasets), **flags}).encode())


def push(url: str, pushed: Message, *, patience: float = 90.0) -> Answer:
    """Post the message and wait for the answer, `patience` seconds at most. Raises TimeoutError."""
    began = time.monotonic()
    harness = urlsplit(url)
    connection = http.client.HTTPConnection(harness.hostname or "", harness.port, timeout=patience)
    try:
        connection.request("POST", "/", push_body(pushed, "by-hand", None), PUSH_HEADERS)
        status: int | None = connection.getresponse().status
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException):
        status = None
    finally:
        connection.close()
    return Answer(status, time.monotonic() - began)
