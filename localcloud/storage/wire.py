"""A request as the handlers see it, and the answer they give: no sockets here."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import BinaryIO, Protocol

from pydantic import JsonValue

from localcloud.storage.errors import Refused, invalid
from localcloud.storage.resources import Json


class Body(Protocol):
    """The body of a request, read once."""

    @property
    def length(self) -> int: ...

    def pieces(self) -> Iterator[bytes]:
        """In pieces of at most 1 MiB. Raises: ClientGone when the connection ends before the body does."""
        ...


class ClientGone(Exception):
    """The connection ended in the middle of a body."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `host` is the scheme and authority that the client used, for the links in answers."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: Body
    host: str

    def raw(self) -> bytes:
        return b"".join(self.body.pieces())

    def json(self) -> Json:
        """The body as a JSON object; none at all counts as an empty one. Raises: Refused 400."""
        return json_object(self.raw())

    def header(self, name: str) -> str | None:
        value = self.headers.get(name)
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class FileRange:
    """Bytes `[start, start + length)` of an open file, which whoever sends them closes."""

    file: BinaryIO
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Response:
    status: int = 200
    content: bytes | FileRange = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_object(data: bytes) -> Json:
    try:
        parsed: JsonValue = json.loads(data) if data else {}
    except ValueError as error:
        raise invalid("The body is not JSON.") from error
    if not isinstance(parsed, dict):
        raise invalid("The body is not a JSON object.")
    return parsed


def json_response(data: Json, status: int = 200) -> Response:
    return Response(status, json.dumps(data).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def refusal_response(refusal: Refused) -> Response:
    if refusal.status == 304:
        return Response(304)
    return Response(refusal.status, refusal.body(), {"Content-Type": "application/json; charset=UTF-8"})


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """`[start, end)` of a Range header; None without one. A header that is not understood counts as none (RFC 9110).

    Raises: Refused 416 when the range begins at or behind the end.
    """
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if asked is None or asked[0] == "bytes=-":
        return None
    first, last = asked.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= size or start >= end:
        raise Refused(416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.")
    return start, end
