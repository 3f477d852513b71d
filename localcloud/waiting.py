"""Waiting for something to become true: with a limit, and with the end of a log where it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from localcloud.processes import tail


def until(condition: Callable[[], bool], log: Path | None = None, seconds: float = 60.0) -> None:
    """Return once the condition holds. Raises AssertionError after `seconds`, with the end of the log."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s\n{tail(log) if log else ''}")
        time.sleep(0.05)
