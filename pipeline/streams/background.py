"""Background threads for streams: `prefetch` produces items early, `Feed` consumes them late.

Only the timing changes. Items keep their order, errors are raised in the caller's thread, and every thread has ended
when the block does. Truncation always raises; it never looks like a normal end.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, ParamSpec, TypeVar

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


def together(*calls: Callable[[], Any]) -> list[Any]:
    """The results of several calls, made at the same time, in order.

    Returns, or raises the error of the first call that has one, when all of them have ended.
    """
    with pool("together", max(len(calls), 1)) as threads:
        running = [threads.submit(call) for call in calls]
    return [one.result() for one in running]


class Preparation(Generic[T]):
    """A context that is entered in a background thread, so that it is ready when it is needed."""

    def __init__(self, make: Callable[[], AbstractContextManager[T]]) -> None:
        self._make = make
        self._ending = ExitStack()
        self._made: list[T] = []
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin to enter it, if that was not begun."""
        self._thread = self._thread or start("prepare", self._work)

    def ready(self) -> T:
        """What the context gives; waits for it, and raises its error."""
        self.begin()
        assert self._thread is not None
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._made[0]

    def close(self) -> None:
        """Leave the context, once, if it was entered."""
        if self._thread is not None:
            self._thread.join()
        self._ending.close()

    def _work(self) -> None:
        try:
            self._made.append(self._ending.enter_context(self._make()))
        except BaseException as error:  # noqa: BLE001  # raised in the caller's thread
            self._error = error


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


class Feed(Generic[T]):
    """A background thread that runs `consume` on the items that are given here.

    Giving an item waits until the one before was consumed. An error of `consume` is raised where the next item is
    given, or by `wait`. Whoever makes one calls `end` or `break_off`, and then `wait`, whatever happens.
    """

    def __init__(self, consume: Callable[[Iterator[T]], None]) -> None:
        self._given: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        self._room = threading.Semaphore(1)
        self._complete = False
        self._failures: list[BaseException] = []
        self._thread = start("feed", partial(self._work, consume))

    def give(self, item: T) -> None:
        """Hand over one item."""
        self._room.acquire()
        if self._failures:
            self._room.release()
            raise self._failures[0]
        self._given.put(item)

    def end(self) -> None:
        """There are no more items."""
        self._given.put(_End(None))

    def break_off(self) -> None:
        """There are no more items, and these are not all: the consumer gets a RuntimeError in place of a next one."""
        self._given.put(_End(RuntimeError("The items broke off.")))

    def wait(self) -> None:
        """Return once the consumer has ended; raise its error."""
        self._thread.join()
        if self._failures:
            raise self._failures[0]

    def _items(self) -> Iterator[T]:
        while not isinstance(item := self._given.get(), _End):
            yield item
            del item  # else it would be held in memory while the next is awaited
            self._room.release()
        if item.error is not None:
            raise item.error
        self._complete = True

    def _work(self, consume: Callable[[Iterator[T]], None]) -> None:
        try:
            consume(self._items())
            if not self._complete:
                raise RuntimeError("The consumer ended before its items did.")
        except BaseException as error:  # noqa: BLE001  # raised in the caller's thread
            self._failures.append(error)
        self._room.release()
