"""Let a consumer work in a thread of its own, beside whoever has the items for it, so that both work at once.

Nothing else changes: the order is the same, an error of the consumer is raised where its next item would have been
given, or at the end; and a consumer whose items break off sees an error, never a bare end.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing that the consumer gets: the end of the items, or that there will be no whole."""

    whole: bool


@contextmanager
def beside(consume: Callable[[Iterator[T]], None]) -> Iterator[Callable[[T], None]]:
    """Give items to `consume` by calling what this yields; it waits until the consumer is done with the one before.

    The block ends when the consumer has: well, or by its error. Where the block is left by an error, that one is
    raised, after the consumer has been told by a RuntimeError and has ended.
    """
    waiting: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    room = threading.Semaphore(1)
    ended = threading.Event()
    failed: list[BaseException] = []

    def items() -> Iterator[T]:
        while not isinstance(item := waiting.get(), _End):
            yield item
            del item  # else it would be held while the next is waited for
            room.release()
        if not item.whole:
            raise RuntimeError("The items broke off.")
        ended.set()

    def work() -> None:
        try:
            consume(items())
            if not ended.is_set():
                raise RuntimeError("The consumer ended before its items did.")
        except BaseException as error:  # noqa: BLE001  # carried to the giver, who raises it
            failed.append(error)
        room.release()

    def give(item: T) -> None:
        room.acquire()
        if failed:
            room.release()
            raise failed[0]
        waiting.put(item)

    thread = threading.Thread(target=work, name="beside", daemon=True)
    thread.start()
    whole = False
    try:
        yield give
        whole = True
    finally:
        waiting.put(_End(whole))
        thread.join()
    if failed:
        raise failed[0]
