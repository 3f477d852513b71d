"""Programs of the local cloud as child processes: started, waited for until they say they are ready, and ended."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

READY_SECONDS: Final = 60.0


class NotReady(Exception):
    """A service ended, or said nothing, before it was ready; the text is the end of its log."""


@dataclass(frozen=True)
class Service:
    """A running service and the one line with which it said where it is."""

    name: str
    process: subprocess.Popen[bytes]
    ready: Mapping[str, Any]
    log: Path

    def stop(self) -> None:
        """End it and wait; killed where it does not listen."""
        with self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()


def start(module: str, *arguments: str, logs: Path) -> Service:
    """Run `python -m module` from the repository's root; it ends with this process. Raises NotReady."""
    name = module.rsplit(".", 1)[-1]
    log = logs / f"{name}.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments, "--exit-with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=repository(),
        )
    assert process.stdout is not None
    line = first_line(process.stdout)
    if not line:
        with process:
            process.kill()
        raise NotReady(f"{module} did not come up:\n{tail(log)}")
    return Service(name, process, json.loads(line), log)


def first_line(stream: IO[bytes]) -> bytes:
    """The first line, or nothing where none comes in READY_SECONDS."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline() if selector.select(READY_SECONDS) else b""


def tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).parents[1]


def environment(values: Mapping[str, str], without: Sequence[str] = ()) -> dict[str, str]:
    """This process's environment with `values` set; inherited settings of another cloud are left out."""
    inherited = {name: value for name, value in os.environ.items() if name not in without}
    return {**inherited, **values}
