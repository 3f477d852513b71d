"""The time of one invocation: asked in every stage, so that each stops by itself before the platform would cut it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from pipeline.errors import OutOfTime

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Budget:
    """An instant on the monotonic clock after which nothing more is begun."""

    deadline: float
    seconds: float

    @classmethod
    def of(cls, seconds: float) -> Budget:
        """A budget that begins now."""
        return cls(time.monotonic() + seconds, seconds)

    def left(self, most: float | None = None) -> float:
        """Seconds that remain, at most `most`; a timeout for whatever is begun now. Raises OutOfTime at zero."""
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise OutOfTime(f"The time budget of {self.seconds:g} s is over; the work stopped in order.")
        return remaining if most is None else min(remaining, most)

    def during(self, items: Iterator[T]) -> Iterator[T]:
        """The same items, as long as there is time. Raises OutOfTime between two of them."""
        for item in items:
            self.left()
            yield item
