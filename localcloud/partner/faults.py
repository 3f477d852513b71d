"""Faults that a test orders from the partner's server: the only thing here that the real server does not do.

The orders are a JSON file, read again whenever it changed, so that a test can break a server that is already running::

    [{"operation": "write", "action": "drop", "after_bytes": 1000000, "times": 1, "name": "payments*"}]

=========  ==========================================================================================
action     what the client sees
=========  ==========================================================================================
error      the request is answered with a failure, and not done (`auth`: the key is refused; `connect`: closed)
hang       the request is never answered; the connection stays up
drop       the connection is cut before the request is done
lose       the request is done, and the connection is cut before the answer
flip       one bit is stored (`write`) or served (`read`) wrong, and success is claimed
short      bytes are swallowed and success is claimed: `write` and `read` end the file early, `close` stores nothing
deny       the request is answered with "permission denied"
lie        `stat` and `list` show sizes that are one byte too small
=========  ==========================================================================================
"""

import json
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

OperationName = Literal["connect", "auth", "open", "write", "read", "close", "stat", "rename", "list", "remove"]
Action = Literal["error", "hang", "drop", "lose", "flip", "short", "deny", "lie"]

_SPECIAL: dict[Action, frozenset[OperationName]] = {
    "flip": frozenset({"write", "read"}),
    "short": frozenset({"write", "read", "close"}),
    "deny": frozenset({"open", "stat", "rename", "list", "remove"}),
    "lie": frozenset({"stat", "list"}),
    "lose": frozenset({"open", "write", "read", "close", "stat", "rename", "list", "remove"}),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One order: `action` at the next `times` requests of kind `operation` on files whose name matches `name`.

    `after_bytes` counts from the start of the file and concerns `write` and `read` alone: everything before that
    offset is handled well, even inside the request that crosses it. `late` seconds after the connection has ended what
    came of the files that were open is stored under their names. Raises ValueError for an action
    that means nothing for the operation.
    """

    operation: OperationName
    action: Action
    after_bytes: int = 0
    times: int = 1
    name: str = "*"
    late: float = 0

    def __post_init__(self) -> None:
        if self.operation not in _SPECIAL.get(self.action, {self.operation}):
            raise ValueError(f"{self.action!r} means nothing for {self.operation!r}")


class Faults:
    """The orders that are open. A rewritten file starts all counts anew; no path or no file means no faults."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._open: list[tuple[Fault, int]] = []

    def due(self, operation: OperationName, name: str = "", end: int = 1) -> Fault | None:
        """Take the first order for this request, which reaches up to offset `end` of the file, or None.

        Raises ValueError or TypeError when the file is no list of faults: a test with a bad order must not pass.
        """
        self._read_again()
        for position, (fault, left) in enumerate(self._open):
            if fault.operation == operation and end > fault.after_bytes and fnmatchcase(name.lstrip("/"), fault.name):
                self._open[position] = (fault, left - 1)
                if left <= 1:
                    del self._open[position]
                return fault
        return None

    def _read_again(self) -> None:
        if self._path is None:
            return
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._version, self._open = None, []
            return
        version = (status.st_mtime_ns, status.st_ino, status.st_size)
        if version == self._version:
            return
        orders = json.loads(self._path.read_bytes())
        faults = [Fault(**order) for order in (orders if isinstance(orders, list) else [orders])]
        self._open = [(fault, fault.times) for fault in faults]
        self._version = version


def order(path: Path, *faults: Fault) -> None:
    """Replace the orders in `path` in one step, so that a running server never reads half a file."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(json.dumps([asdict(fault) for fault in faults]))
    draft.replace(path)
