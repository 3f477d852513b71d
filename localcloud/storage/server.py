"""Sockets and threads: one thread a connection, connections kept alive."""

import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from urllib.parse import parse_qsl, urlsplit

from localcloud.distance import Line
from localcloud.storage.content import PIECE, let_go
from localcloud.storage.errors import Refused
from localcloud.storage.faults import Fault, Faults, flipped
from localcloud.storage.routes import Service
from localcloud.storage.sessions import CHUNK_UNIT
from localcloud.storage.wire import ClientGone, FileRange, Request, Response, refusal_response

OPENING_BYTES = 1024
FAULTS_PATH = "/_faults"
AGE_PATH = "/_age"
"""`POST {"match": ..., "seconds": ...}`: objects whose `bucket/name` matches were created so much earlier."""


class Server(ThreadingHTTPServer):
    """The service on 127.0.0.1. Port 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, service: Service, faults: Faults, latency: float = 0.0, rate: float = 0.0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.service = service
        self.faults = faults
        self.latency = latency
        self.up, self.down = Line(rate), Line(rate)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _SocketBody:
    """The body of a request, from the connection."""

    def __init__(self, stream: BufferedIOBase, length: int, line: Line) -> None:
        self._stream = stream
        self._line = line
        self._left = length
        self._opening = b""
        self.length = length

    def opening(self) -> bytes:
        """The first bytes, enough for an object's metadata; `pieces` gives them again."""
        self._opening = self._stream.read(min(self._left, OPENING_BYTES))
        return self._opening

    def first(self, length: int) -> "_SocketBody":
        """The first so many bytes as a body of their own; the rest stays."""
        part = _SocketBody(self._stream, length, self._line)
        self._left -= length
        return part

    def pieces(self) -> Iterator[bytes]:
        while self._left:
            piece = self._opening or self._stream.read(min(self._left, PIECE))
            self._opening = b""
            if not piece:
                raise ClientGone
            self._left -= len(piece)
            self._line.carry(len(piece))
            yield piece


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Silent: what matters is logged where it is decided."""

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """What the base class refuses by itself: a request that is no HTTP, or an unknown method."""
        print(f"storage: refused: {format % args}", file=sys.stderr)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ClientGone, ConnectionError):
            self.close_connection = True

    def _handle(self) -> None:
        body = _SocketBody(self.rfile, int(self.headers.get("Content-Length") or 0), self.server.up)
        if self.path == FAULTS_PATH:
            self._send(self._control(body))
            return
        if self.path == AGE_PATH:
            order = json.loads(b"".join(body.pieces()))
            self.server.service.store.age(re.compile(order["match"]), timedelta(seconds=order["seconds"]))
            self._send(Response(204))
            return
        time.sleep(self.server.latency)
        fault = self.server.faults.strike(self._described(body))
        action = fault.action if fault else None
        if action == "hang":
            self.server.faults.hang()
        if action in ("hang", "drop"):
            self.close_connection = True
            return
        response = self._response(fault, body)
        # What a refusal left unread would be taken for the next request.
        for _ in body.pieces():
            pass
        if action == "lose":
            self.close_connection = True
            _close(response)
            return
        self._send(response, flip=action == "flip", truncate=action == "truncate")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _described(self, body: _SocketBody) -> str:
        """What faults are matched with: method, path, query, and the name that a multipart upload has in its body."""
        line = f"{self.command} {self.path}"
        if "uploadType=multipart" not in self.path:
            return line
        name = re.search(rb'"name": *"([^"]+)"', body.opening())
        return f"{line} {name[1].decode(errors='replace')}" if name else line

    def _response(self, fault: Fault | None, body: _SocketBody) -> Response:
        if fault is not None and fault.action == "error":
            return _error_of(fault)
        if fault is not None and fault.action == "no-body":
            return Response(200)
        if fault is not None and fault.action == "partial":
            return self._answer(self._half(body))
        response = self._answer(body)
        if fault is not None and fault.action == "empty":
            _close(response)
            return Response(200)
        return response

    def _half(self, body: _SocketBody) -> _SocketBody:
        """The first half of a chunk, in whole units, described as if no more had been sent."""
        start = re.match(r"bytes (\d+)-", self.headers.get("Content-Range", ""))
        kept = body.length // 2 // CHUNK_UNIT * CHUNK_UNIT if start else 0
        del self.headers["Content-Range"]
        self.headers["Content-Range"] = (
            f"bytes {start[1]}-{int(start[1]) + kept - 1}/*" if start and kept else "bytes */*"
        )
        return body.first(kept)

    def _answer(self, body: _SocketBody) -> Response:
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return refusal_response(Refused(411, "lengthRequired", "The local Cloud Storage needs a Content-Length."))
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        host = f"http://{self.headers.get('Host')}"
        return self.server.service.answer(Request(self.command, url.path, query, self.headers, body, host))

    def _control(self, body: _SocketBody) -> Response:
        try:
            if self.command == "POST":
                self.server.faults.add(b"".join(body.pieces()))
            elif self.command == "DELETE":
                self.server.faults.clear()
            return Response(200, self.server.faults.report(), {"Content-Type": "application/json"})
        except Refused as refusal:
            return refusal_response(refusal)

    def _send(self, response: Response, *, flip: bool = False, truncate: bool = False) -> None:
        content = response.content
        length = content.length if isinstance(content, FileRange) else len(content)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        sent = length // 2 if truncate else length
        self.server.down.carry(sent)
        if isinstance(content, FileRange) and not flip:
            self.wfile.flush()
            with content.file as file:
                if sent:
                    self.connection.sendfile(file, content.start, sent)
                    let_go(file, content.start, sent)
        else:
            data = _in_memory(content)[:sent]
            self.wfile.write(flipped(data) if flip else data)
        self.wfile.flush()
        self.close_connection = self.close_connection or truncate


def _error_of(fault: Fault) -> Response:
    return refusal_response(Refused(fault.status, "backendError", "A fault that was asked for."))


def _in_memory(content: bytes | FileRange) -> bytes:
    if isinstance(content, bytes):
        return content
    with content.file as file:
        file.seek(content.start)
        return file.read(content.length)


def _close(response: Response) -> None:
    if isinstance(response.content, FileRange):
        response.content.file.close()
