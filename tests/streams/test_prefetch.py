"""Prefetching changes when items are produced, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipeline.streams.background import prefetch

PATIENCE = 20.0


class Stream:
    """Items that say how far they were made, and whether they were closed; may raise after the last."""

    def __init__(self, count: int, error: BaseException | None = None) -> None:
        self.count = count
        self.error = error
        self.made = 0
        self.closed = threading.Event()
        self.changed = threading.Condition()

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                with self.changed:
                    self.made += 1
                    self.changed.notify_all()
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed.set()

    def reaches(self, made: int) -> bool:
        """Wait until so many were made."""
        with self.changed:
            return self.changed.wait_for(lambda: self.made >= made, PATIENCE)


@pytest.mark.parametrize("most", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_the_same_items_come_in_the_same_order(count: int, most: int) -> None:
    with prefetch(iter(range(count)), most) as items:
        assert list(items) == list(range(count))


def test_items_are_made_before_they_are_asked_for() -> None:
    stream = Stream(10)
    with prefetch(iter(stream), 3):
        assert stream.reaches(4)


def test_no_more_than_the_limit_waits_and_one_in_the_making() -> None:
    stream = Stream(100)
    with prefetch(iter(stream), 3) as items:
        assert stream.reaches(4)
        for taken, item in enumerate(items):
            assert item == taken
            assert stream.made <= taken + 1 + 4


def test_an_error_is_raised_where_the_next_item_would_have_come() -> None:
    error = ValueError("broken")
    with prefetch(iter(Stream(5, error)), 2) as items:
        assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(ValueError, match="broken") as raised:
            next(items)
        assert raised.value is error


def test_leaving_early_closes_the_stream_and_ends_the_thread() -> None:
    stream = Stream(1_000)
    before = threading.active_count()
    with prefetch(iter(stream), 2) as items:
        next(items)
    assert stream.closed.is_set()
    assert stream.made <= 6
    assert threading.active_count() == before


def test_leaving_without_taking_anything_closes_the_stream() -> None:
    stream = Stream(1_000)
    with prefetch(iter(stream), 2):
        pass
    assert stream.closed.is_set()


def test_leaving_by_an_error_closes_the_stream_and_passes_the_error_on() -> None:
    stream = Stream(1_000)
    with pytest.raises(KeyError), prefetch(iter(stream), 2):
        raise KeyError("ours")
    assert stream.closed.is_set()


def test_a_stream_that_was_abandoned_never_looks_complete() -> None:
    with prefetch(iter(Stream(1_000)), 2) as items:
        pass
    with pytest.raises(RuntimeError, match="abandoned"):
        list(items)


def test_a_bare_exception_of_the_stream_is_carried_too() -> None:
    with prefetch(iter(Stream(0, KeyboardInterrupt())), 1) as items, pytest.raises(KeyboardInterrupt):
        next(items)


def test_an_error_while_closing_the_stream_is_raised_instead_of_waiting_for_ever() -> None:
    class Stuck:
        def __iter__(self) -> Stuck:
            return self

        def __next__(self) -> int:
            raise StopIteration

        def close(self) -> None:
            raise ValueError("cannot be closed")

    with prefetch(Stuck(), 1) as items, pytest.raises(ValueError, match="cannot be closed"):
        next(items)
