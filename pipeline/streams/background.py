"""Background threads for streams: `prefetch` produces items early, `feed` consumes them late.

Only the timing changes. Items keep their order, errors are raised in the caller's thread, and every thread has ended
when the block does. Truncation always raises; it never looks like a normal end.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

PREFIX: Final = "pspp-"
"""The names of all threads that the pipeline starts begin so; a test looks for threads that were left behind."""


@dataclass(frozen=True, slots=True)
class _End:
    """The last entry of a queue: the end of the items (`error` is None), or why there will be no more."""

    error: BaseException | None


def start(name: str, work: Callable[[], None]) -> threading.Thread:
    """Run `work` in a new background thread named `pspp-NAME`, its events labelled as here. `work` must not raise."""
    thread = threading.Thread(target=copy_context().run, args=(work,), name=f"{PREFIX}{name}", daemon=True)
    thread.start()
    return thread


def pool(name: str, workers: int | None = None) -> ThreadPoolExecutor:
    """A pool of at most `workers` threads named `pspp-NAME_0` and so on; events are labelled as where work is given."""
    return _Pool(workers, thread_name_prefix=f"{PREFIX}{name}")


class _Pool(ThreadPoolExecutor):
    """A pool whose work runs in a copy of the context of whoever gives it."""

    def submit(self, work: Callable[P, T], /, *arguments: P.args, **options: P.kwargs) -> Future[T]:
        """As the base class does."""
        context = copy_context()
        return super().submit(lambda: context.run(work, *arguments, **options))


@contextmanager
def prefetch(items: Iterator[T], limit: int) -> Iterator[Iterator[T]]:
    """Produce the items in a background thread; at most `limit` of them wait, and one more is being produced.

    An error of `items` is raised where its next item would have come. When the block ends, the item in production is
    waited for and `items` is closed.
    """
    ready: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    room = threading.Semaphore(limit)
    cancelled = threading.Event()

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                ready.put(item)
                room.acquire()
                if cancelled.is_set():
                    raise RuntimeError("The stream was abandoned before its end.")
        except BaseException as raised:  # noqa: BLE001  # raised in the caller's thread
            error = raised
        try:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        except BaseException as raised:  # noqa: BLE001  # likewise; without an end the caller would wait for ever
            error = error or raised
        ready.put(_End(error))

    def taken() -> Iterator[T]:
        while not isinstance(item := ready.get(), _End):
            room.release()
            yield item
        if item.error is not None:
            raise item.error

    thread = start("prefetch", work)
    try:
        yield taken()
    finally:
        cancelled.set()
        room.release()
        thread.join()


@contextmanager
def feed(consume: Callable[[Iterator[T]], None]) -> Iterator[Callable[[T], None]]:
    """Run `consume` in a background thread on the items that are given to the function yielded here.

    Giving an item waits until the one before was consumed. An error of `consume` is raised where the next item is
    given, or at the end of the block. Where the block raises, the consumer gets a RuntimeError in place of a next
    item, and the block's error is raised after the consumer has ended.
    """
    given: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
    room = threading.Semaphore(1)
    complete = threading.Event()
    failures: list[BaseException] = []

    def items() -> Iterator[T]:
        while not isinstance(item := given.get(), _End):
            yield item
            del item  # else it would be held in memory while the next is awaited
            room.release()
        if item.error is not None:
            raise item.error
        complete.set()

    def work() -> None:
        try:
            consume(items())
            if not complete.is_set():
                raise RuntimeError("The consumer ended before its items did.")
        except BaseException as error:  # noqa: BLE001  # raised in the caller's thread
            failures.append(error)
        room.release()

    def give(item: T) -> None:
        room.acquire()
        if failures:
            room.release()
            raise failures[0]
        given.put(item)

    thread = start("feed", work)
    end = _End(RuntimeError("The items broke off."))
    try:
        yield give
        end = _End(None)
    finally:
        given.put(end)
        thread.join()
    if failures:
        raise failures[0]
