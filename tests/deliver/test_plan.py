"""How a window is cut into parts: as few as keep every one under the limits, whatever the hash does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.clients.counts import PartCount
from pipeline.deliver.plan import SPREAD, parts_needed

AMPLE = 10**15
rows = st.integers(1, 10**9)


def counted(rows: int, size: int = 0) -> PartCount:
    return PartCount(part=1, rows=rows, keys=rows, bytes=size, fingerprint="0", totals={})


@pytest.mark.parametrize(
    ("found", "most_rows", "most_bytes", "parts"),
    [
        (counted(0), 10, 10, 1),
        (counted(0, 999), 1, 1, 1),
        (counted(10), 10, 10, 1),
        (counted(10, 0), 10, 1, 1),
        (counted(1, 10**9), 10, 10, 1),  # a row cannot be cut
        (counted(1_000_000), 1_000_000, AMPLE, 1),
        (counted(1_000_001), 1_000_000, AMPLE, 2),
        (counted(2_000_000), 1_000_000, AMPLE, 3),  # two halves would be over the limit half of the time
        (counted(1_000_000, 10**9), AMPLE, 10**9, 1),
        (counted(1_000_000, 10**9 + 1001), AMPLE, 10**9, 2),
        (counted(5, 50), AMPLE, 10, 5),
    ],
)
def test_parts_are_as_many_as_the_narrower_limit_needs(
    found: PartCount, most_rows: int, most_bytes: int, parts: int
) -> None:
    assert parts_needed(found, most_rows, most_bytes) == parts


@given(rows, rows)
def test_what_fits_is_one_part_and_what_does_not_is_more(total: int, most: int) -> None:
    assert (parts_needed(counted(total), most, AMPLE) == 1) == (total <= most)


@given(rows, st.integers(40, 10**8))
def test_the_expected_part_and_its_spread_are_under_the_limit_and_with_one_part_fewer_they_are_not(
    total: int, most: int
) -> None:
    assume(total > most)
    parts = parts_needed(counted(total), most, AMPLE)
    mean, larger = total / parts, total / (parts - 1)
    assert mean + SPREAD * math.sqrt(mean) <= most * (1 + 1e-9)
    assert larger + SPREAD * math.sqrt(larger) >= most * (1 - 1e-9)


@given(rows, st.integers(1, 10**12), st.integers(1, 10**6), st.integers(1, 10**9))
def test_there_are_never_more_parts_than_rows_and_wider_limits_never_need_more(
    total: int, size: int, most_rows: int, most_bytes: int
) -> None:
    parts = parts_needed(counted(total, size), most_rows, most_bytes)
    assert 1 <= parts <= total
    assert parts_needed(counted(total, size), most_rows * 2, most_bytes * 2) <= parts


@pytest.mark.parametrize(("total", "most"), [(2_000_000, 250_000), (10_000, 1_000), (3_000, 100), (1_000_000, 999_999)])
def test_parts_of_a_fair_hash_stay_under_the_limit(total: int, most: int) -> None:
    parts = parts_needed(counted(total), most, AMPLE)
    drawn = np.random.default_rng(7).multinomial(total, [1 / parts] * parts, size=1_000)
    assert (drawn.max(axis=1) > most).mean() < 0.01
