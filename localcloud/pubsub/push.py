"""The workers that post a subscription's messages to its endpoint.

As in the real service, an answer that takes longer than the ack deadline counts as a failure: the connection is closed
and the message is sent again later, while the endpoint may still be working on the first request. The number of
workers caps the requests under way, and so stands for the largest number of function instances.
"""

import http.client
import json
import sys
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from localcloud.pubsub.backlog import Backlog, Lease
from localcloud.pubsub.message import PUSH_HEADERS, push_body

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
"""Statuses that acknowledge a pushed message (Pub/Sub documentation, "Receive push messages")."""
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 60.0
"""Seconds between pushes of a failing message where the subscription has no retry policy (same place)."""
FOREVER = 1e9


@dataclass(frozen=True, slots=True)
class Target:
    """Where a subscription pushes to, and how long an answer may take, in seconds."""

    subscription: str
    topic: str
    endpoint: str
    deadline: float
    counts_attempts: bool


class Pusher:
    """Pushes until closed. A push under way at that moment still ends."""

    def __init__(self, target: Target, backlog: Backlog, concurrency: int) -> None:
        self.target = target
        self._backlog = backlog
        self._closed = threading.Event()
        for _ in range(concurrency):
            threading.Thread(target=self._work, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._backlog.wake()

    def _work(self) -> None:
        while not self._closed.is_set():
            # The deadline is kept by the connection, not by the lease: a push ends in one of two ways below.
            for lease in self._backlog.take(1, FOREVER, FOREVER, stop=self._closed.is_set):
                began = time.monotonic()
                status = _post(self.target, lease)
                _log(self.target, lease, status, time.monotonic() - began)
                if status in ACKNOWLEDGED:
                    self._backlog.acknowledge([lease.ack_id])
                else:
                    self._backlog.extend([lease.ack_id], 0)


def _post(target: Target, lease: Lease) -> int | str:
    """The HTTP status, or in a word why there is none."""
    url = urlsplit(target.endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=target.deadline)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    body = push_body(lease.message, target.subscription, lease.attempt if target.counts_attempts else None)
    try:
        connection.request("POST", path, body, PUSH_HEADERS)
        return connection.getresponse().status
    except TimeoutError:
        return "deadline exceeded"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {type(error).__name__}"
    finally:
        connection.close()


def _log(target: Target, lease: Lease, status: int | str, seconds: float) -> None:
    """One JSON line on stderr for every attempt."""
    line = {
        "event": "push",
        "subscription": target.subscription,
        "messageId": lease.message.id,
        "attempt": lease.attempt,
        "status": status,
        "seconds": round(seconds, 3),
    }
    print(json.dumps(line), file=sys.stderr, flush=True)
