"""One resumable upload: bytes to an object that must not exist, in chunks, over a session that tells what it has.

Cloud Storage may keep only a part of a chunk, and its answer may be lost: the session says where to go on
(https://cloud.google.com/storage/docs/performing-resumable-uploads). The object comes to be with the last chunk; what
is never finished is invisible and expires. The client library's writer cannot go on after a part of a chunk, and is
finished by the garbage collector where it was broken off.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth.transport.requests import AuthorizedSession
from requests import Response

from pipeline.budget import Budget

CHUNK: Final = 8 * 1024 * 1024
"""Bytes of one request; a multiple of 256 KiB as the protocol asks."""

CALL_SECONDS: Final = 60.0
"""Time of one request, sending included: a chunk in a minute is 140 kB/s."""

_RANGE: Final = re.compile(r"bytes=0-(\d+)")
_UNFINISHED: Final = 308
_SESSION_GONE: Final = (404, 410)


class Content:
    """Bytes that lie in several places, as the body of a request: of a length that is known, and copied nowhere."""

    def __init__(self, parts: tuple[memoryview, ...] = ()) -> None:
        self._parts = parts
        self._size = sum(map(len, parts))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[memoryview]:
        return iter(self._parts)


class _Waiting:
    """Bytes that are to be uploaded, as they came."""

    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self.size = 0

    def add(self, parts: Iterable[bytes]) -> None:
        """Put more behind what waits."""
        for part in filter(None, parts):
            self._parts.append(memoryview(part))
            self.size += len(part)

    def first(self, count: int) -> Content:
        """So many bytes from the front, which stay."""
        found: list[memoryview] = []
        for part in self._parts:
            if not count:
                break
            found.append(part[:count])
            count -= len(found[-1])
        return Content(tuple(found))

    def drop(self, count: int) -> None:
        """Forget so many bytes from the front."""
        self.size -= count
        while count:
            part = self._parts.popleft()
            if len(part) > count:
                self._parts.appendleft(part[count:])
            count -= min(count, len(part))


class ResumableUpload:
    """The upload of one session; `add` what there is, then `finish`. Raises api_core's errors, OutOfTime.

    `retrying` makes the retry of a request that begins now: it says which errors are no answer, and how soon the
    session is asked again.
    """

    def __init__(self, session: AuthorizedSession, url: str, budget: Budget, retrying: Callable[[], Retry]) -> None:
        self._session = session
        self._url = url
        self._budget = budget
        self._retrying = retrying
        self._kept = 0
        self._waiting = _Waiting()
        self._done = False
        self._described: dict[str, object] = {}

    def add(self, parts: Iterable[bytes]) -> None:
        """Upload as many whole chunks as there are now; the rest waits for more."""
        self._waiting.add(parts)
        while self._waiting.size >= CHUNK:
            self._send(CHUNK, None)

    def finish(self) -> Mapping[str, object]:
        """Upload what is left, as the end of the object; the object as the answer describes it, if it does."""
        while not self._done:
            self._send(self._waiting.size, self._kept + self._waiting.size)
        return self._described

    def _send(self, count: int, total: int | None) -> None:
        """Send so many of the waiting bytes once, and as often as there is no answer; what was kept waits no more."""
        end, again = self._kept + count, False

        def once() -> None:
            nonlocal again
            if again:
                self._put(Content(), f"bytes */{_text(total)}")
            again = True
            if self._done or (total is None and self._kept == end):
                return
            content = self._waiting.first(end - self._kept)
            place = f"{self._kept}-{end - 1}" if content else "*"
            self._put(content, f"bytes {place}/{_text(total)}")

        self._retrying()(once)()

    def _put(self, content: Content, place: str) -> None:
        headers = {"Content-Range": place}
        body: Any = content or b""  # an empty body that is no bytes would be sent in pieces without a length
        answer = self._session.put(self._url, body, headers=headers, timeout=self._budget.left(CALL_SECONDS))
        if answer.status_code == _UNFINISHED:
            self._keep(answer)
        elif answer.status_code in _SESSION_GONE:
            raise api.ClientError("the session of the upload has ended")
        elif not answer.ok:
            raise api.from_http_response(answer)
        elif place.endswith("/*"):
            raise api.ServiceUnavailable("the upload was said to be complete before its end")
        else:
            self._done = True
            with suppress(ValueError):  # an answer without the object; the store is asked for it then
                self._described = dict(answer.json())

    def _keep(self, answer: Response) -> None:
        """Forget the bytes that the answer says are kept. Raises ServiceUnavailable where it is no answer to us."""
        kept_range = _RANGE.fullmatch(answer.headers.get("Range", ""))
        kept = int(kept_range[1]) + 1 if kept_range else 0
        if not self._kept <= kept <= self._kept + self._waiting.size:
            raise api.BadRequest(f"{self._kept} bytes were kept before; now the session says {kept}")
        self._waiting.drop(kept - self._kept)
        self._kept = kept


def _text(total: int | None) -> str:
    return "*" if total is None else str(total)
