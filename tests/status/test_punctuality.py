"""Punctuality against the promise, worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.contracts.promise import Promise
from pipeline.states import StateName
from pipeline.status.grid import Cell
from pipeline.status.punctuality import punctuality
from pipeline.window import HOUR, Slot, Window

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
PROMISE = Promise(30, 99, 30)
NOW = FIRST + timedelta(days=30)


def cell(hour: int, minutes: float | None, state: StateName = "certified", **more: Any) -> Cell:
    """An hour whose delivery came so many minutes after its end; None: it did not."""
    slot = Slot("payments", Window.hour(FIRST + hour * HOUR))
    late = None if minutes is None else timedelta(minutes=minutes)
    return Cell(slot, state, 1, rows=10, late=late, **more)


def judged(cells: list[Cell], now: datetime = NOW) -> tuple[int, int]:
    result = punctuality("payments", PROMISE, cells, now)
    return result.windows, result.in_time


def test_a_month_with_a_bad_day() -> None:
    """720 hours; on one day ten deliveries came after 45 minutes and two never: 708 of 720 are 98.33 per cent."""
    month = [cell(hour, 5) for hour in range(720)]
    month[240:250] = [cell(hour, 45) for hour in range(240, 250)]
    month[250:252] = [cell(hour, None, "missing") for hour in (250, 251)]
    result = punctuality("payments", PROMISE, month, NOW)
    assert (result.windows, result.in_time, result.is_kept) == (720, 708, False)
    assert str(result) == ("payments: 98.3 % within 30 minutes over 30 days (708 of 720 windows), promised 99 %")


def test_the_promise_is_kept_to_the_minute_and_not_a_second_longer() -> None:
    assert judged([cell(0, 30)]) == (1, 1)
    assert judged([cell(0, 30 + 1 / 60)]) == (1, 0)


def test_a_window_without_rows_is_no_delivery_and_does_not_count() -> None:
    assert judged([cell(0, 5), cell(1, None, "empty")]) == (1, 1)


def test_a_window_whose_time_is_not_over_counts_only_when_it_has_arrived() -> None:
    end = FIRST + HOUR
    assert judged([cell(0, None, "planned")], end + timedelta(minutes=29)) == (0, 0)
    assert judged([cell(0, None, "planned")], end + timedelta(minutes=30)) == (1, 0)
    assert judged([cell(0, 10)], end + timedelta(minutes=29)) == (1, 1)


def test_an_hour_of_which_nothing_is_recorded_is_left_to_certify() -> None:
    unknown = Cell(Slot("payments", Window.hour(FIRST)), "missing", 0)
    not_ready = Cell(Slot("payments", Window.hour(FIRST)), "source not ready", 0, certified=NOW)
    assert judged([unknown, not_ready]) == (0, 0)


def test_an_hour_that_was_never_planned_and_has_rows_as_certify_found_is_late() -> None:
    never = Cell(Slot("payments", Window.hour(FIRST)), "missing", 0, certified=NOW)
    assert judged([cell(1, 5), never]) == (2, 1)


def test_per_cent_are_never_rounded_up_to_what_was_not_reached() -> None:
    almost = [cell(hour, 5) for hour in range(9999)] + [cell(9999, 99)]
    assert str(punctuality("payments", Promise(30, 99.99, 30), almost, NOW)).startswith("payments: 99.9 % ")


def test_nothing_to_send_keeps_every_promise() -> None:
    assert punctuality("payments", PROMISE, [], NOW).is_kept
