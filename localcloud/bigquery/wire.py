"""HTTP for the REST front end: requests in, responses out, one thread a connection."""

from __future__ import annotations

import json
import select
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .errors import BigQueryError, invalid, not_served
from .faults import Fault, Faults

PIECE = 2**20
GZIP_WINDOW = 31  # zlib's number for gzip with the largest window


class Body:
    """A request's body, read at most once."""

    def __init__(self, stream: BufferedIOBase, length: int, encoding: str) -> None:
        self._stream, self._left = stream, length
        self._unzip = zlib.decompressobj(GZIP_WINDOW) if encoding == "gzip" else None

    def pieces(self) -> Iterator[bytes]:
        """The body in pieces of about a megabyte."""
        while self._left:
            piece = self._stream.read(min(PIECE, self._left))
            if not piece:
                raise ConnectionError("the client went away in the middle of its request")
            self._left -= len(piece)
            yield self._unzip.decompress(piece) if self._unzip else piece

    def bytes(self) -> bytes:
        return b"".join(self.pieces())

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object."""
        text = self.bytes()
        try:
            value = json.loads(text) if text else {}
        except ValueError as error:
            raise invalid(f"Invalid JSON payload received. {error}") from None
        if not isinstance(value, dict):
            raise invalid("Invalid JSON payload received. Not an object.")
        return value


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    segments: tuple[str, ...]
    query: dict[str, str]
    headers: Any
    body: Body
    host: str


@dataclass(frozen=True, slots=True)
class Response:
    """A JSON answer, or an empty one for a body of None."""

    body: dict[str, Any] | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """`name` is the API's name of the method, as in https://cloud.google.com/bigquery/docs/reference/rest."""

    name: str
    answer: Answer


def server(  # noqa: C901  # its nested handler counts
    port: int, find: Callable[[Request], Route | None], faults: Faults, delay: Callable[[str], float]
) -> ThreadingHTTPServer:
    """A server on 127.0.0.1 that asks `find` who answers a request; nobody means 501.

    `delay` is how many seconds a method takes longer.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Only what is refused is logged."""

        def handle_any(self) -> None:
            try:
                response = self._answer(self._request())
                if response is not None:
                    self._send(response)
            except ConnectionError:  # the client has gone: there is nobody to tell
                self.close_connection = True

        def _answer(self, request: Request) -> Response | None:
            """The response, or None where a fault keeps it back."""
            try:
                route = find(request)
                if route is None:
                    raise not_served(f"{request.method} {request.path}")
                time.sleep(delay(route.name))
                fault = faults.take(route.name)
                if fault is not None and fault.after == 0 and self._strike(fault, request):
                    return None
                response = route.answer(request)
                if fault is not None and fault.after != 0 and self._strike(fault, request):
                    return None
            except BigQueryError as error:
                if error.status == 501:
                    sys.stderr.write(f"bigquery: 501 {request.method} {self.path}: {error.message}\n")
                response = Response(error.body(), error.status)
            except ConnectionError:
                raise
            except Exception as error:  # noqa: BLE001 - a defect here must reach the client as an answer
                traceback.print_exc(file=sys.stderr)
                response = Response(BigQueryError(500, "internalError", repr(error)).body(), 500)
            request.body.bytes()  # what was not wanted of it must not be taken for the next request
            return response

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def _request(self) -> Request:
            url = urlsplit(self.path)
            segments = tuple(unquote(part) for part in url.path.split("/") if part)
            body = Body(
                self.rfile, int(self.headers.get("Content-Length") or 0), self.headers.get("Content-Encoding") or ""
            )
            query = dict(parse_qsl(url.query, keep_blank_values=True))
            return Request(self.command, url.path, segments, query, self.headers, body, self.headers.get("Host") or "")

        def _strike(self, fault: Fault, request: Request) -> bool:
            """Whether the request has got all the answer that it will get."""
            if fault.action == "refuse":
                raise BigQueryError(fault.status, fault.reason, fault.message)
            if fault.action == "error":
                raise BigQueryError(503, "backendError", "fault: error")
            if fault.action == "hang":
                request.body.bytes()  # what is unread would look like the client's leaving
                while not faults.stopping.is_set() and not select.select([self.connection], [], [], 0.1)[0]:
                    pass
            self.close_connection = True
            return True

        def _send(self, response: Response) -> None:
            data = b"" if response.body is None else json.dumps(response.body).encode()
            kind = {"Content-Type": "application/json; charset=UTF-8", "Content-Length": str(len(data))}
            lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
            lines += [f"{name}: {value}" for name, value in (kind | response.headers).items()]
            self.wfile.write("\r\n".join([*lines, "\r\n"]).encode() + data)  # in one piece: one packet, no waiting

    front = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    front.daemon_threads = True
    return front
