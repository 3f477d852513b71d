"""Pub/Sub with all its liberties: at least once, in any order, to two processes at once, again after success."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from localcloud.pubsub.message import Message
from tests.faults.push import Answer, message, push

AT_ONCE: Final = 0.3
"""How often a message goes to every process at the same instant."""
AGAIN: Final = 0.2
"""How often one that was acknowledged comes again."""
BACKOFF: Final = (0.2, 1.5)
LATER: Final = (0.0, 4.0)


@dataclass
class Deliverer:
    """Pushes every message until it is acknowledged; `urls` are the processes, `failed` counts what came again."""

    urls: Sequence[str]
    chance: random.Random
    threads: int = 4
    pushes: int = 0
    failed: int = 0
    at_once: int = 0
    _heap: list[tuple[float, int, Message]] = field(default_factory=list)
    _under_way: int = 0
    _number: Callable[[], int] = field(default_factory=lambda: itertools.count().__next__)
    _changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))

    def start(self) -> Deliverer:
        """Begin."""
        for _ in range(self.threads):
            threading.Thread(target=self._work, daemon=True).start()
        return self

    def publish(self, one: Message | bytes, delay: float = 0.0) -> None:
        """Have it delivered, some seconds from now."""
        with self._changed:
            made = one if isinstance(one, Message) else message(one)
            heapq.heappush(self._heap, (time.monotonic() + delay, self._number(), made))
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        """Everything is acknowledged."""
        with self._changed:
            return not self._heap and not self._under_way

    def _work(self) -> None:
        with ThreadPoolExecutor(len(self.urls)) as both:
            while True:
                one = self._next()
                everywhere = self.chance.random() < AT_ONCE
                urls = self.urls if everywhere else [self.chance.choice(self.urls)]
                answers = list(both.map(lambda url, one=one: _pushed(url, one), urls))
                self._after(one, answers)

    def _next(self) -> Message:
        with self._changed:
            while not self._heap or self._heap[0][0] > time.monotonic():
                self._changed.wait(0.05)
            self._under_way += 1
            return heapq.heappop(self._heap)[2]

    def _after(self, one: Message, answers: Sequence[Answer]) -> None:
        acknowledged = any(answer.acknowledges for answer in answers)
        with self._changed:
            self.pushes += len(answers)
            self.at_once += len(answers) > 1
            self.failed += not acknowledged
            self._under_way -= 1
            if not acknowledged:
                self.publish(one, self.chance.uniform(*BACKOFF))
            elif self.chance.random() < AGAIN:
                self.publish(one, self.chance.uniform(*LATER))


def _pushed(url: str, one: Message) -> Answer:
    try:
        return push(url, one)
    except TimeoutError:
        return Answer(None, 90.0)
