"""The time of one invocation: asked in every stage, so that each stops by itself before the platform would cut it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from pipeline.errors import OutOfTime

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Budget:
    """An instant on the monotonic clock after which nothing more is begun.

    `patience` is how many seconds a service may leave a request without an answer before it is given up. The function
    waits as long as it has time, since the network of a new instance may take a minute or more to carry anything; a
    person at a terminal does not.
    """

    deadline: float
    seconds: float
    patience: float = inf

    @classmethod
    def of(cls, seconds: float, *, patience: float = inf) -> Budget:
        """A budget that begins now."""
        return cls(time.monotonic() + seconds, seconds, min(patience, seconds))

    def left(self, most: float | None = None) -> float:
        """Seconds that remain, at most `most`; a timeout for whatever is begun now. Raises OutOfTime at zero."""
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise OutOfTime(f"The time budget of {self.seconds:g} s is over; the work stopped in order.")
        return remaining if most is None else min(remaining, most)

    def waiting(self, most: float = inf) -> float:
        """Seconds from now for which a service is asked again as long as it does not answer. Raises as `left`."""
        return self.left(min(self.patience, most))

    def one_try(self, most: float) -> float:
        """Seconds from now for one request, at least two of which fit into the patience. Raises as `left`."""
        return self.left(min(self.patience / 2, most))

    def during(self, items: Iterator[T]) -> Iterator[T]:
        """The same items, as long as there is time. Raises OutOfTime between two of them."""
        for item in items:
            self.left()
            yield item
