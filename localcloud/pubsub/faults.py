"""Failures on demand for a gRPC service, from a file: the only thing here that the real services do not have.

The file of `--faults-file` is read at every call, and may be missing. It holds a list of faults, or one:

    {"match": "Publish", "skip": 1, "times": 2, "action": "error"}

`match` is the name of a method. The first `skip` calls pass, the next `times` are struck; the counts are kept in the
process and begin anew when the text of the file changes. Replace the file in one step: write beside it, rename.
Actions:

    error   answered UNAVAILABLE, nothing is done
    hang    neither done nor answered, until the caller gives up
    lose    done, then answered UNAVAILABLE as if the connection had broken
"""

import threading
from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Action = Literal["error", "hang", "lose"]


class Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str
    action: Action
    skip: int = Field(default=0, ge=0)
    times: int = Field(default=1, ge=1)


_FILE: TypeAdapter[Fault | list[Fault]] = TypeAdapter(Fault | list[Fault])


class Faults:
    """The faults of a running service; none at all without a file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._text = ""
        self._faults: list[Fault] = []
        self._seen: Counter[int] = Counter()

    def strike(self, method: str) -> Action | None:
        """What this call suffers. Raises: pydantic.ValidationError for a file that holds no faults."""
        if self._path is None:
            return None
        with self._lock:
            self._read(self._path)
            for number, fault in enumerate(self._faults):
                if fault.match != method or self._seen[number] == fault.skip + fault.times:
                    continue
                self._seen[number] += 1
                if self._seen[number] > fault.skip:
                    return fault.action
            return None

    def _read(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = ""
        if text == self._text:
            return
        found = _FILE.validate_json(text) if text.strip() else []
        self._faults = found if isinstance(found, list) else [found]
        self._text = text
        self._seen.clear()
