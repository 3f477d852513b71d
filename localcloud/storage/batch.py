"""Many calls in one request: multipart/mixed in, multipart/mixed out, in the same order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from localcloud.storage.errors import invalid
from localcloud.storage.wire import FileRange, Request, Response

MOST_CALLS = 100
"""Calls in one batch (Cloud Storage documentation, "Batch requests")."""
BOUNDARY = "batch_of_answers"


@dataclass(frozen=True, slots=True)
class Bytes:
    """A body that is in memory."""

    data: bytes

    @property
    def length(self) -> int:
        return len(self.data)

    def pieces(self) -> Iterator[bytes]:
        yield self.data


def batch(request: Request, answer: Callable[[Request], Response]) -> Response:
    """Each call answered by itself: one that is refused does not touch the others. Raises: Refused 400."""
    envelope = message_from_bytes(f"Content-Type: {request.header('Content-Type')}\r\n\r\n".encode() + request.raw())
    parts = [part for part in envelope.get_payload() if isinstance(part, Message)] if envelope.is_multipart() else []
    if not 1 <= len(parts) <= MOST_CALLS:
        raise invalid(f"A batch holds 1 to {MOST_CALLS} calls.")
    answers = b"".join(_part(part.get("Content-ID"), answer(_call(part, request.host))) for part in parts)
    content_type = {"Content-Type": f"multipart/mixed; boundary={BOUNDARY}"}
    return Response(200, answers + f"--{BOUNDARY}--\r\n".encode(), content_type)


def _call(part: Message, host: str) -> Request:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        raise invalid("A part of a batch is one HTTP request.")
    head, _, body = payload.replace(b"\r\n", b"\n").partition(b"\n\n")
    line, _, headers = head.partition(b"\n")
    words = line.decode().split()
    if len(words) != 3 or "/upload/" in words[1]:
        raise invalid(f"Not a call for a batch: {line.decode()}")
    url = urlsplit(words[1])
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    if query.get("alt") == "media":
        raise invalid("A batch carries no media.")
    return Request(words[0], url.path, query, BytesHeaderParser().parsebytes(headers), Bytes(body.rstrip()), host)


def _part(content_id: str | None, response: Response) -> bytes:
    if isinstance(response.content, FileRange):
        raise AssertionError("media in a batch is refused beforehand")
    lines = [f"--{BOUNDARY}", "Content-Type: application/http"]
    if content_id is not None:
        lines.append(f"Content-ID: <response-{content_id.strip('<>')}>")
    lines += ["", f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    lines += [f"Content-Length: {len(response.content)}", "", ""]
    return "\r\n".join(lines).encode() + response.content + b"\r\n"
