"""How fast an upload goes, and whether a whole invocation would do for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import OutOfTime, UploadTooSlow

TRIES: Final = 3
"""Attempts that must each have been too slow, before it is said that no other will do."""

AHEAD: Final = 2
"""Pieces that are taken before they are sent: one is on its way, and the next is read."""

STANDSTILL: Final = 2 / 3
"""An upload whose last progress is longer ago than this part of its time was not slow: it stood still."""


@dataclass
class Pace:
    """Counts the pieces of one upload of `size` bytes."""

    size: int
    piece_size: int
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    taken: int = 0

    def timing(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the same pieces, noting when each was taken."""
        for piece in pieces:
            self.taken += 1
            self.last = time.monotonic()
            yield piece

    def judged(self, error: OutOfTime, seconds: float, tries: int) -> OutOfTime | UploadTooSlow:
        """What to raise where time was over: an upload that `seconds` would not do for either says so.

        After so many `tries` it is an error that no repetition helps against.
        """
        now = time.monotonic()
        sent, elapsed = (self.taken - AHEAD) * self.piece_size, max(now - self.began, 0.001)
        if sent <= 0 or now - self.last > STANDSTILL * elapsed:
            return error
        needed = self.size / sent * elapsed
        if needed <= seconds:
            return error
        story = (
            f"About {sent / 1e6:,.0f} of {self.size / 1e6:,.0f} MB went to the partner in {elapsed:,.0f} s: all of it "
            f"needs {needed:,.0f} s at this speed, and an invocation has {seconds:,.0f} s."
        )
        return UploadTooSlow(f"{story} So it was in {tries} attempts.") if tries >= TRIES else OutOfTime(story)
