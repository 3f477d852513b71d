"""Make a stream's items in a thread of their own, a few ahead of whoever takes them, so that both work at once.

Nothing else changes: the order is the same, an error of the stream is raised where its next item would have come, and
the stream is closed when the block ends. An end that was not the stream's own is an error, never a bare end.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing that the thread gives: the stream's end, or what it raised."""

    error: BaseException | None


@contextmanager
def ahead(items: Iterator[T], most: int) -> Iterator[Iterator[T]]:
    """The same items, the first being made at once; at most `most` of them wait, and one more is in the making.

    However the block ends, the thread is over and `items` is closed then; so it waits for an item in the making.
    """
    waiting: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    room = threading.Semaphore(most)
    unwanted = threading.Event()

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                waiting.put(item)
                room.acquire()
                if unwanted.is_set():
                    raise RuntimeError("The stream was not wanted to its end.")
        except BaseException as raised:  # noqa: BLE001  # carried to the taker, who raises it
            error = raised
        close = getattr(items, "close", None)
        if close is not None:
            close()
        waiting.put(_End(error))

    def taken() -> Iterator[T]:
        while not isinstance(item := waiting.get(), _End):
            room.release()
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        unwanted.set()
        room.release()
        thread.join()
