"""What clients asked of the partner's server, a JSON object a line: proof that something was, or never was, sent."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, or all reads or writes of one open file together.

    `operation` is connect, auth, open, write, read, close, stat, list, rename, remove, or a request that the server
    refuses (setstat, mkdir, rmdir, posix-rename, symlink, link, readlink, statvfs, fsync). `path` is the client's, made
    absolute (`auth`: the user); `to` is a rename's target. `bytes` counts what was transferred. `answer` is ok, no such
    file, permission denied, unsupported, failure, cut (the connection ended first) or lost (done, but not answered).
    """

    operation: str
    path: str = ""
    bytes: int = 0
    answer: str = "ok"
    to: str = ""


class Journal:
    """Entries go to stderr and, where a path is given, to the end of that file; each is written out at once."""

    def __init__(self, path: Path | None = None) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1) if path else None

    def add(self, entry: Entry) -> None:
        """Write `entry`; the line is readable before the client has its answer."""
        line = json.dumps(asdict(entry))
        print(line, file=sys.stderr, flush=True)
        if self._file:
            print(line, file=self._file)


def entries(path: Path) -> list[Entry]:
    """Return what a server wrote to its `--log`, in order; none when it has not written yet."""
    if not path.exists():
        return []
    return [Entry(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
