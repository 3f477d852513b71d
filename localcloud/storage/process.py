"""The life of a local service, from both sides: the process that serves, and the one that starts it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
LONGEST_END = 10.0
"""Seconds that a service has to end after SIGTERM; then it is killed, and that is an error."""


def serve_until_told(ready: Mapping[str, str], *, exit_with_parent: bool) -> None:
    """Print `ready` as the one JSON line on stdout, then return at SIGTERM or SIGINT.

    With `exit_with_parent` the end of stdin ends the wait too: whoever holds the other end of the pipe has gone.
    To be called from the main thread, once the service answers.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    if exit_with_parent:
        threading.Thread(target=_set_at_end_of_stdin, args=(ended,), daemon=True).start()
    print(json.dumps(dict(ready)), flush=True)
    ended.wait()


def _set_at_end_of_stdin(ended: threading.Event) -> None:
    # Not through sys.stdin: its lock would be held by this thread when the process ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    ended.set()


@dataclass(frozen=True, slots=True)
class Running:
    """A started service: what its ready line said, and its process."""

    ready: Mapping[str, str]
    process: subprocess.Popen[bytes]


@contextmanager
def running(module: str, *arguments: str, log: IO[bytes] | None = None) -> Iterator[Running]:
    """The service of `python -m module`, ready, and ended when the block ends or this process dies.

    Its stderr goes to `log`, or to ours. Raises: RuntimeError when it ends before it is ready;
    subprocess.TimeoutExpired when it does not end when asked to.
    """
    command = [sys.executable, "-m", module, *arguments, "--exit-with-parent"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    with process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise RuntimeError(f"{module} ended before it was ready, with status {process.wait()}")
            yield Running(json.loads(line), process)
        finally:
            process.terminate()
            try:
                process.wait(LONGEST_END)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
