"""The time budget: it ends, says so in every stage, and never hands out more than is left."""

import time
from collections.abc import Iterator

import pytest

from pipeline.budget import Budget
from pipeline.errors import OutOfTime

OVER = Budget(time.monotonic() - 1, 9)


def test_what_is_left_falls_and_is_never_more_than_the_budget() -> None:
    budget = Budget.of(60)
    first = budget.left()
    assert 59 < first <= 60
    assert budget.left() <= first


def test_a_timeout_is_bounded_by_what_is_left_and_by_what_is_asked_for() -> None:
    budget = Budget.of(60)
    assert budget.left(5) == 5
    assert budget.left(3600) <= 60


def test_a_service_may_be_silent_for_as_long_as_there_is_patience_and_be_asked_twice() -> None:
    budget = Budget.of(60, patience=10)
    assert (budget.waiting(), budget.one_try(30), budget.one_try(3)) == (10, 5, 3)
    patient = Budget.of(60)
    assert 59 < patient.waiting() <= 60
    assert patient.one_try(90) == 30


def test_a_budget_that_is_over_raises_and_names_its_length() -> None:
    with pytest.raises(OutOfTime, match="The time budget of 9 s is over"):
        OVER.left()
    assert OutOfTime.retryable


def test_items_pass_while_there_is_time() -> None:
    assert list(Budget.of(60).during(iter([1, 2, 3]))) == [1, 2, 3]


def test_a_stream_stops_between_two_items_when_the_time_is_over() -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    with pytest.raises(OutOfTime):
        list(OVER.during(source()))
    assert taken == [0]
