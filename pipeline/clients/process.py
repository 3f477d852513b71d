"""How long an instance took to start: its first request has waited as long, within the platform's limit."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

LONGEST_START: Final = 240.0
"""Seconds within which Cloud Run has a container start (documentation, "Container runtime contract"); an instance that
is older has waited for its first request, and not the request for it."""


class Start:
    """The start of this process, asked for by its first request."""

    def __init__(self) -> None:
        self._is_over = False

    def took(self) -> float:
        """Seconds since the server began, for its first request; 0 for others, and where it had waited for one."""
        first, self._is_over = not self._is_over, True
        seconds = age() if first else 0.0
        return seconds if seconds <= LONGEST_START else 0.0


def age() -> float:
    """Seconds since the server began: this process, or the one that forked it after loading the source.

    0 where there is no /proc.
    """
    try:
        began = min(_began(pid) for pid in (os.getpid(), os.getppid()))
    except (OSError, ValueError, IndexError):
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began)


def _began(pid: int) -> float:
    """Field 22 of /proc/PID/stat, in seconds since the machine was started; see proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
