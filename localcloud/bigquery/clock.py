"""A clock that never shows the same microsecond twice, and the lock that orders commits and snapshots."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Real time in whole microseconds, strictly increasing over every call.

    Hold `lock` from reading the time of a commit until the commit is visible: then whoever reads the clock
    later gets a later time, and a snapshot at a time that was handed out can never change.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._last = 0

    def tick(self) -> datetime:
        with self.lock:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            return EPOCH + timedelta(microseconds=self._last)


def millis(at: datetime) -> str:
    """Milliseconds since 1970 as the API writes them: a string."""
    return str((at - EPOCH) // timedelta(milliseconds=1))
