"""Hours are half-open, whole, UTC, and together exactly the range that they were cut from."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.window import HOUR, Delivery, Slot, Window, rfc3339, stamp

INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
HOURS = INSTANTS.map(lambda instant: instant.replace(minute=0, second=0, microsecond=0))
ONE = datetime(2026, 11, 23, 13, tzinfo=UTC)


@given(HOURS, st.integers(1, 200))
def test_the_hours_of_a_window_partition_it(start: datetime, count: int) -> None:
    window = Window(start, start + count * HOUR)
    hours = list(window.hours())
    assert len(hours) == len(window) == count
    assert hours[0].start == window.start
    assert hours[-1].end == window.end
    assert all(one.end == following.start for one, following in pairwise(hours))
    assert all(len(hour) == 1 for hour in hours)


@given(INSTANTS)
def test_every_instant_belongs_to_exactly_one_hour(instant: datetime) -> None:
    hours = Window.last_full_hour_before(instant)
    around = Window(hours.start, hours.end + 2 * HOUR)
    assert sum(hour.start <= instant < hour.end for hour in around.hours()) == 1


@given(INSTANTS)
def test_the_last_full_hour_is_over_and_no_later_one_is(instant: datetime) -> None:
    window = Window.last_full_hour_before(instant)
    assert len(window) == 1
    assert window.end <= instant < window.end + HOUR


@pytest.mark.parametrize(
    ("instant", "start"),
    [
        (ONE, ONE - HOUR),
        (ONE - timedelta(microseconds=1), ONE - 2 * HOUR),
        (ONE + timedelta(minutes=59, seconds=59), ONE - HOUR),
        (datetime(2027, 1, 1, 0, 5, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC)),
        (datetime(2028, 3, 1, 0, 5, tzinfo=UTC), datetime(2028, 2, 29, 23, tzinfo=UTC)),
    ],
)
def test_at_the_full_hour_the_hour_before_counts(instant: datetime, start: datetime) -> None:
    assert Window.last_full_hour_before(instant) == Window.hour(start)


@pytest.mark.parametrize("zone", ["Europe/Madrid", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_an_offset_or_daylight_saving_changes_no_window(zone: str) -> None:
    """Twice in a year a local clock skips or repeats an hour; UTC hours go on as before."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    there = [(begin + number * HOUR).astimezone(ZoneInfo(zone)) for number in range(365 * 24)]
    windows = [Window.last_full_hour_before(instant) for instant in there]
    assert all(one.end == following.start for one, following in pairwise(windows))
    assert windows[0] == Window.hour(begin - HOUR)


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (ONE, ONE, "is not before end"),
        (ONE, ONE - HOUR, "is not before end"),
        (ONE + timedelta(minutes=30), ONE + HOUR, "start .* is not on the hour"),
        (ONE, ONE + timedelta(hours=1, microseconds=1), "end .* is not on the hour"),
        (ONE.replace(tzinfo=None), ONE + HOUR, "start .* is not in UTC"),
        (ONE, (ONE + HOUR).replace(tzinfo=timezone(timedelta(hours=1))), "end .* is not in UTC"),
    ],
)
def test_what_is_no_window_of_whole_utc_hours_cannot_be_made(start: datetime, end: datetime, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Window(start, end)


@given(INSTANTS)
def test_an_instant_is_written_so_that_it_reads_back_equal(instant: datetime) -> None:
    assert rfc3339(instant).endswith("Z")
    assert datetime.fromisoformat(rfc3339(instant)) == instant


def test_instants_of_other_zones_are_written_in_utc() -> None:
    there = datetime(2026, 7, 1, 1, tzinfo=ZoneInfo("Europe/Madrid"))
    assert rfc3339(there) == "2026-06-30T23:00:00Z"
    assert stamp(there) == "20260630T230000Z"


def test_slots_and_deliveries_name_the_folder_of_their_records() -> None:
    delivery = Delivery(Slot("payments", Window.hour(ONE)), 2)
    assert delivery.slot.folder == "payments/2026/11/23/1300"
    assert delivery.folder == "payments/2026/11/23/1300/r2"
    assert str(delivery) == "payments 20261123T130000Z/20261123T140000Z r2"
