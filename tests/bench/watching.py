"""What a tree of processes uses while something goes on: processor seconds, and the most memory at one time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import psutil

INTERVAL: Final = 0.1


@dataclass(slots=True)
class Use:
    """Seconds of user and system time, and bytes of the whole tree at its largest, shared pages counted once (PSS)."""

    cpu: float = 0.0
    memory: int = 0
    _last: dict[int, float] = field(default_factory=dict)

    def look(self, root: psutil.Process) -> None:
        """Take one sample. A process that ends between two samples is counted up to the last one."""
        held = 0
        for process in [root, *root.children(recursive=True)]:
            try:
                times = process.cpu_times()
                self._last[process.pid] = times.user + times.system
                held += process.memory_full_info().pss
            except psutil.Error:
                continue
        self.memory = max(self.memory, held)

    @property
    def total(self) -> float:
        """Processor seconds of every process that was ever seen."""
        return sum(self._last.values())


def busy() -> float:
    """Processor seconds that the whole machine has worked since it was started."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "steal", 0.0))


@contextmanager
def watched(pid: int) -> Iterator[Use]:
    """Watch a process and all below it during the block."""
    use, root, over = Use(), psutil.Process(pid), threading.Event()
    use.look(root)
    before = use.total

    def watch() -> None:
        while not over.wait(INTERVAL):
            use.look(root)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield use
    finally:
        over.set()
        thread.join()
        use.look(root)
        use.cpu = use.total - before
