"""Failures on demand: the only thing here that the real service does not have.

`POST /_faults` installs a fault, `GET /_faults` shows those that were installed with how often each struck,
`DELETE /_faults` takes all away and lets go of requests that hang. A fault:

    {"match": "PUT .*upload_id=", "skip": 1, "times": 2, "action": "error", "status": 503}

`match` is a regular expression searched in "METHOD path?query", followed by the object's name where an upload has it in
its body; the first `skip` matching requests pass, the next
`times` are struck. Actions:

    error     answered with `status`, nothing is done
    hang      neither done nor answered, until DELETE /_faults
    drop      the connection closes before anything is done
    lose      done, then the connection closes without an answer
    flip      one bit in the middle of the answer's body is turned
    truncate  the connection closes after half of the answer's body
    partial   of a chunk of an upload, only the first half is kept, and the answer says so
    empty     done, and answered 200 without a body
    no-body   answered 200 without a body, and nothing is done
"""

import re
import threading
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from localcloud.storage.errors import invalid

Action = Literal["error", "hang", "drop", "lose", "flip", "truncate", "partial", "empty", "no-body"]


class Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    match: re.Pattern[str]
    action: Action
    skip: int = Field(default=0, ge=0)
    times: int = Field(default=1, ge=1)
    status: int = Field(default=503, ge=400, le=599)


class Struck(BaseModel):
    """A fault and how many requests it has seen and struck."""

    fault: Fault
    seen: int = 0
    struck: int = 0


class Faults:
    """The faults of a running service."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._installed: list[Struck] = []
        self._over = threading.Event()

    def add(self, data: bytes) -> None:
        """Raises: Refused 400 for JSON that is no fault."""
        try:
            fault = Fault.model_validate_json(data)
        except ValidationError as error:
            raise invalid(str(error)) from error
        with self._lock:
            self._installed.append(Struck(fault=fault))

    def clear(self) -> None:
        with self._lock:
            self._installed.clear()
            self._over.set()
            self._over = threading.Event()

    def report(self) -> bytes:
        with self._lock:
            return ("[" + ",".join(one.model_dump_json() for one in self._installed) + "]").encode()

    def strike(self, request_line: str) -> Fault | None:
        """The fault that this request suffers: the first installed that matches and has strikes left."""
        with self._lock:
            for one in self._installed:
                if one.struck == one.fault.times or not one.fault.match.search(request_line):
                    continue
                one.seen += 1
                if one.seen > one.fault.skip:
                    one.struck += 1
                    return one.fault
            return None

    def hang(self) -> None:
        """Returns when the faults are taken away."""
        with self._lock:
            over = self._over
        over.wait()


def flipped(piece: bytes) -> bytes:
    """The piece with one bit in its middle turned."""
    turned = bytearray(piece)
    if turned:
        turned[len(turned) // 2] ^= 1
    return bytes(turned)
