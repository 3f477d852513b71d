"""What is claimed of filters holds on every row: DuckDB evaluates both on all values that their columns may have."""

from __future__ import annotations

import functools
from itertools import product
from typing import Final

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contracts.filters import direction, implies

ROWS: Final = list(product((True, False, None), (True, False, None), ("EU", "UK", "US", None), (1, 2, 3, None)))
ATOMS: Final = (
    "a",
    "b",
    "NOT a",
    "b IS NULL",
    "region = 'EU'",
    "region IN ('EU', 'UK')",
    "region IN ('EU', 'UK', 'US')",
    "region NOT IN ('US')",
    "n BETWEEN 1 AND 2",
    "n = 1",
    "n IN (1, 3)",
    "CASE WHEN a AND b THEN n = 1 END",
)


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=2, max_size=3)
    return several.map(" AND ".join) | several.map(" OR ".join) | inner.map(lambda one: f"({one})")


CONDITIONS: Final = st.recursive(st.sampled_from(ATOMS), _joined, max_leaves=5)


@functools.cache
def database() -> duckdb.DuckDBPyConnection:
    """Every row there can be."""
    made = duckdb.connect()
    made.execute("CREATE TABLE t (row_number INT, a BOOL, b BOOL, region TEXT, n INT)")
    made.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", [(number, *row) for number, row in enumerate(ROWS)])
    return made


def passing(condition: str | None) -> set[int]:
    """The rows that pass, by number."""
    found = database().execute(f"SELECT row_number FROM t WHERE {condition or 'TRUE'}").fetchall()
    return {number for (number,) in found}


@settings(deadline=None, max_examples=60)
@given(st.none() | CONDITIONS, st.none() | CONDITIONS)
def test_what_is_said_to_follow_follows_on_every_row(first: str | None, second: str | None) -> None:
    if implies(first, second):
        assert passing(first) <= passing(second)


@settings(deadline=None, max_examples=40)
@given(CONDITIONS, st.sampled_from(ATOMS), st.sampled_from(("AND", "OR")))
def test_a_condition_more_is_never_taken_for_nothing(condition: str, more: str, word: str) -> None:
    found = direction(condition, f"({condition}) {word} {more}")
    assert found == "same" or found == ("narrower" if word == "AND" else "wider")
    if found == "same":
        assert passing(condition) == passing(f"({condition}) {word} {more}")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("in_program", None, "wider"),
        (None, "in_program", "narrower"),
        ("region IN ('EU')", "region = 'EU'", "same"),
        ("region = 'eu'", "region = 'EU'", "unknown"),
        ("a OR b AND c", "(a OR b) AND c", "unknown"),
        ("`select` AND x", "SELECT and X", "same"),
        ("note = 'a AND b'", "note = 'a'", "unknown"),
        ("note = '''a AND b'''", "b", "unknown"),
        ("amount > 10", "amount > 5", "unknown"),
    ],
)
def test_a_filter_is_compared_by_its_form(old: str | None, new: str | None, expected: str) -> None:
    assert direction(old, new) == expected
