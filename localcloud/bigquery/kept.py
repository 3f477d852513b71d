"""Things that are kept for a while under a name."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

Name = TypeVar("Name")
Thing = TypeVar("Thing")


class Kept(Generic[Name, Thing]):
    """The latest `number` things, each for `seconds` at most."""

    def __init__(self, number: int, seconds: float) -> None:
        self._number, self._seconds = number, seconds
        self._things: OrderedDict[Name, tuple[float, Thing]] = OrderedDict()
        self._guard = threading.Lock()

    def add(self, name: Name, thing: Thing) -> None:
        now = time.monotonic()
        with self._guard:
            self._things[name] = (now, thing)
            while len(self._things) > self._number or next(iter(self._things.values()))[0] < now - self._seconds:
                self._things.popitem(last=False)

    def get(self, name: Name) -> Thing | None:
        with self._guard:
            found = self._things.get(name)
        return found[1] if found is not None else None
