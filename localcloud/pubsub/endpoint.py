"""An HTTP endpoint to push to, which records what it was sent and answers as it is asked to."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One push. `at` is in seconds of the monotonic clock, `count` how often this message came before."""

    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float
    count: int

    @property
    def id(self) -> str:
        return str(self.body["message"]["messageId"])

    @property
    def attributes(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.body["message"].get("attributes", {})
        return found


@dataclass(slots=True)
class Endpoint:
    """`answer` gives the status for a push, and may take its time."""

    url: str = ""
    answer: Callable[[Received], int] = lambda received: 204
    received: list[Received] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, condition: Callable[[list[Received]], object], seconds: float = 20.0) -> list[Received]:
        """What came so far, once the condition holds. Raises: TimeoutError."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self.received), seconds):
                raise TimeoutError(f"after {seconds} s the endpoint had received {self.received}")
            return list(self.received)

    def record(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Received:
        with self.changed:
            count = sum(one.id == body["message"]["messageId"] for one in self.received)
            received = Received(headers, body, time.monotonic(), count)
            self.received.append(received)
            self.changed.notify_all()
            return received


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """A running endpoint on a free port."""
    target = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = target.answer(target.record(dict(self.headers.items()), body))
            try:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except ConnectionError:
                # The pusher's deadline was over: it has gone, as the real one does.
                return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    target.url = f"http://127.0.0.1:{server.server_address[1]}/"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
