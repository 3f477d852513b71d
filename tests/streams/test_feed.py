"""Feeding a consumer in the background changes when items are consumed, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from pipeline.streams.background import Feed

PATIENCE = 20.0


class Consumer:
    """Takes items into a list, each when it is let; remembers how it ended."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.taken: list[int] = []
        self.let = threading.Semaphore(0)
        self.fails_at = fails_at
        self.ended: BaseException | str | None = None

    def free(self) -> Consumer:
        """Let it take whatever comes."""
        for _ in range(1_000):
            self.let.release()
        return self

    def __call__(self, items: Iterator[int]) -> None:
        try:
            for item in items:
                assert self.let.acquire(timeout=PATIENCE)
                if len(self.taken) == self.fails_at:
                    raise ValueError("cannot take it")
                self.taken.append(item)
            self.ended = "whole"
        except BaseException as error:
            self.ended = error
            raise


@contextmanager
def feed(consumer: Callable[[Iterator[int]], None]) -> Iterator[Callable[[int], None]]:
    """Feed it during the block, as whoever uses Feed does."""
    feeding = Feed(consumer)
    try:
        yield feeding.give
    except BaseException:
        feeding.break_off()
        with suppress(BaseException):
            feeding.wait()
        raise
    feeding.end()
    feeding.wait()


def give_all(consumer: Callable[[Iterator[int]], None], count: int, error: BaseException | None = None) -> None:
    """Give so many items; then leave the block by the error."""
    with feed(consumer) as give:
        for number in range(count):
            give(number)
        if error is not None:
            raise error


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_all_items_are_taken_in_order_when_the_block_has_ended(count: int) -> None:
    consumer = Consumer().free()
    give_all(consumer, count)
    assert (consumer.taken, consumer.ended) == (list(range(count)), "whole")


def test_the_giver_goes_on_while_an_item_is_consumed_and_waits_with_the_next() -> None:
    consumer, given = Consumer(), threading.Event()
    with feed(consumer) as give:
        give(0)  # comes back although nothing may be consumed yet

        def second() -> None:
            give(1)
            given.set()

        thread = threading.Thread(target=second)
        thread.start()
        assert not given.wait(0.1)
        consumer.free()
        thread.join(PATIENCE)
        assert given.is_set()
    assert consumer.taken == [0, 1]


def test_an_error_of_the_consumer_is_raised_where_an_item_is_given() -> None:
    consumer = Consumer(fails_at=1).free()
    with pytest.raises(ValueError, match="cannot take it") as raised:
        give_all(consumer, 1_000)
    assert raised.value is consumer.ended
    assert consumer.taken == [0]


def test_an_error_over_the_last_item_is_raised_at_the_end() -> None:
    with pytest.raises(ValueError, match="cannot take it"):
        give_all(Consumer(fails_at=0).free(), 1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_consumer_that_ends_early_is_an_error(count: int) -> None:
    with pytest.raises(RuntimeError, match="ended before"):
        give_all(lambda items: None, count)


@pytest.mark.parametrize("given", [0, 1, 5])
def test_items_that_break_off_never_look_whole_and_the_giver_s_error_is_raised(given: int) -> None:
    consumer = Consumer().free()
    before = threading.active_count()
    with pytest.raises(KeyError, match="ours"):
        give_all(consumer, given, KeyError("ours"))
    assert isinstance(consumer.ended, RuntimeError)
    assert consumer.taken == list(range(given))
    assert threading.active_count() == before


def test_a_generator_that_is_closed_in_the_block_ends_the_consumer() -> None:
    consumer = Consumer().free()

    def passing() -> Iterator[int]:
        with feed(consumer) as give:
            for number in range(10):
                give(number)
                yield number

    stream = passing()
    assert [next(stream), next(stream)] == [0, 1]
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert isinstance(consumer.ended, RuntimeError)
