"""What a tree of processes uses while something goes on: processor seconds, and the most memory at one time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psutil

INTERVAL: Final = 0.1


@dataclass(slots=True)
class Use:
    """Seconds of user and system time, and bytes of the whole tree at its largest, shared pages counted once (PSS)."""

    cpu: float = 0.0
    memory: int = 0

    def look(self, pid: int) -> None:
        """Take one sample of the memory."""
        held = 0
        for process in _processes(pid):
            try:
                held += process.memory_full_info().pss
            except psutil.Error:
                continue
        self.memory = max(self.memory, held)


def worked(pid: int) -> float:
    """Processor seconds of a process and of all below it, those included that have ended and were waited for."""
    seconds = 0.0
    for process in _processes(pid):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def _processes(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def busy() -> float:
    """Processor seconds that the whole machine has worked since it was started."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "steal", 0.0))


@contextmanager
def watched(pid: int) -> Iterator[Use]:
    """Watch a process and all below it during the block."""
    use, over, before = Use(), threading.Event(), worked(pid)
    use.look(pid)

    def watch() -> None:
        while not over.wait(INTERVAL):
            use.look(pid)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield use
    finally:
        over.set()
        thread.join()
        use.look(pid)
        use.cpu = worked(pid) - before
