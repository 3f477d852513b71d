"""Expressions that decide something give the same on the local BigQuery and on Google's reference evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.bigquery.client import Local, running
from tests.localcloud.oracle import by_google, comparable, locally

EXACT: Final = Context(prec=80)


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with running() as server:
        server.bigquery.create_dataset("d")
        yield server


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Decimals of so many digits, `scale` of them after the point."""
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda number: EXACT.scaleb(Decimal(number), -scale))


SPACES = " \t\n\r\x0b\x0c\x85\xa0\u1680\u2000\u2003\u2028\u202f\u205f\u3000\u200b\ufeff"
LETTERS = "abzABZéßİıŉǆΣςﬁÿŸĳ𝄞日\"\\'/<&"
TEXTS = st.text(st.sampled_from(SPACES + LETTERS), max_size=8) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"], min_codepoint=32, max_codepoint=0x2FFF), max_size=5
)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20) | st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1])
SECONDS = st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
TIMES = st.tuples(SECONDS, st.integers(0, 999999) | st.sampled_from([0, 500_000, 120_000, 1_000, 2_460])).map(
    lambda parts: parts[0].replace(microsecond=parts[1])
)
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('ab"\\é\n', max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abé ", max_size=3), inner, max_size=3),
    max_leaves=5,
)
COLUMNS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "t": ("STRING", TEXTS),
    "i": ("INT64", NUMBERS),
    "n": ("NUMERIC", decimals(38, 9) | decimals(6, 3) | st.integers(-5, 5).map(Decimal)),
    "g": ("BIGNUMERIC", decimals(30, 15) | st.integers(-5, 5).map(Decimal)),
    "b": ("BOOL", st.booleans()),
    "d": ("DATE", st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "m": ("TIMESTAMP", TIMES),
    "j": ("JSON", DOCUMENTS),
    "r": ("BYTES", st.binary(max_size=5)),
    "f": ("FLOAT64", st.sampled_from([0.0, 1.0, -1.5, 0.1, 1e300, 1e-7, 123456.789, 2.5])),
}
QUERIES: Mapping[str, tuple[str, str]] = {
    "white space": ("t", "SELECT TRIM(t), LTRIM(t), RTRIM(t) FROM {rows}"),
    "upper and lower case": ("t", "SELECT UPPER(t), LOWER(t) FROM {rows}"),
    "lengths": ("tr", "SELECT LENGTH(t), BYTE_LENGTH(t), CHAR_LENGTH(t), BYTE_LENGTH(r), LENGTH(r) FROM {rows}"),
    "matching": (
        "t",
        "SELECT t LIKE '%a_', STARTS_WITH(t, 'a'), STRPOS(t, 'b'), REGEXP_CONTAINS(t, r'^[a-z]+$') FROM {rows}",
    ),
    "cutting": (
        "t",
        "SELECT SUBSTR(t, 2, 3), REPLACE(t, 'a', 'xy'), CONCAT(t, 'x'), SPLIT(t, 'a')[SAFE_OFFSET(1)] FROM {rows}",
    ),
    "empty and null texts": (
        "t",
        "SELECT NULLIF(t, ''), IFNULL(t, 'x'), COALESCE(NULLIF(TRIM(t), ''), 'none') FROM {rows}",
    ),
    "bytes of a row in the file": (
        "tj",
        "SELECT SUM(3 + IFNULL(BYTE_LENGTH(t), 0) + IFNULL(BYTE_LENGTH(TO_JSON_STRING(j)), 0)) FROM {rows}",
    ),
    "a row as JSON": ("tinbdmjrfg", "SELECT TO_JSON_STRING(STRUCT(t, i, n, b, d, m, j, r, f, g)) FROM {rows}"),
    "values as JSON": (
        "tinbdmjrfg",
        "SELECT " + ", ".join(f"TO_JSON_STRING({c})" for c in "tinbdmjrfg") + " FROM {rows}",
    ),
    "JSON text": ("j", "SELECT TO_JSON_STRING(j), JSON_VALUE(j, '$.a'), JSON_QUERY(j, '$.a') FROM {rows}"),
    "values as text": ("ibdmnfg", "SELECT " + ", ".join(f"CAST({c} AS STRING)" for c in "ibdmnfg") + " FROM {rows}"),
    "decimals are rounded half away from zero": (
        "n",
        "SELECT ROUND(n, 2), ROUND(n), ROUND(n, -1), TRUNC(n, 1), CEIL(n), FLOOR(n), SAFE_CAST(n AS INT64), ABS(n)"
        " FROM {rows} WHERE ABS(n) < 1e28",
    ),
    "texts become decimals": (
        "n",
        "SELECT SAFE_CAST(CAST(n AS STRING) AS NUMERIC), SAFE_CAST('x' AS NUMERIC) FROM {rows}",
    ),
    "sums": (
        "nig",
        "SELECT SUM(n), SUM(g), MAX(g), SUM(CAST(i AS NUMERIC)), COUNTIF(n > 0) FROM {rows} WHERE ABS(n) < 1e20",
    ),
    "buckets": ("i", "SELECT MOD(MOD(i, 7) + 7, 7) + 1, MOD(MOD(i, 1) + 1, 1) + 1, DIV(i, 3) FROM {rows}"),
    "hours": ("m", "SELECT TIMESTAMP_TRUNC(m, HOUR) AS hour, COUNT(*) FROM {rows} GROUP BY hour ORDER BY hour"),
    "other units": (
        "m",
        "SELECT TIMESTAMP_TRUNC(m, DAY), TIMESTAMP_TRUNC(m, MONTH), DATE(m), UNIX_MICROS(m) FROM {rows}",
    ),
    "dates": (
        "d",
        "SELECT DATE_ADD(d, INTERVAL 40 DAY), DATE_SUB(d, INTERVAL 1 MONTH), DATE_TRUNC(d, MONTH), "
        "EXTRACT(YEAR FROM d), DATE_DIFF(d, DATE '2000-02-29', DAY), DATE_DIFF(d, DATE '2000-02-29', MONTH), "
        "TIMESTAMP(d), FORMAT_DATE('%Y-%m-%d', d) FROM {rows} WHERE d BETWEEN '1000-01-01' AND '9990-01-01'",
    ),
    "times as text": ("m", "SELECT FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', m), CAST(m AS STRING) FROM {rows}"),
    "distances of times": (
        "m",
        "SELECT TIMESTAMP_DIFF(m, TIMESTAMP '1999-12-31 23:59:59.5+00:00', HOUR), "
        "TIMESTAMP_DIFF(m, TIMESTAMP '1999-12-31 23:59:59.5+00:00', SECOND), "
        "TIMESTAMP_SUB(m, INTERVAL 90 MINUTE), TIMESTAMP_ADD(m, INTERVAL 1 MICROSECOND) FROM {rows}",
    ),
    "keys of null": (
        "tib",
        "SELECT COUNT(*), COUNT(DISTINCT TO_JSON_STRING(STRUCT(t, i))), COUNT(DISTINCT t), COUNT(t) FROM {rows}",
    ),
    "a condition that is null": (
        "bi",
        "SELECT COUNTIF(b), COUNTIF(NOT b), COUNTIF(NOT (i > 0 AND (b))), COUNTIF(NOT IFNULL(i > 0 AND (b), FALSE)), "
        "COUNTIF(b IS NOT TRUE), COUNTIF(i IN (1, NULL)), COUNTIF(i NOT IN (1, 2)) FROM {rows}",
    ),
    "what is distinct": (
        "ti",
        "SELECT a.t IS DISTINCT FROM b.t, a.i IS NOT DISTINCT FROM b.i FROM {rows} AS a CROSS JOIN {rows} AS b",
    ),
    "the greatest of some": (
        "mi",
        "SELECT GREATEST(m, TIMESTAMP '2000-01-01 00:00:00+00:00'), LEAST(i, 3) FROM {rows}",
    ),
    "the latest of each": (
        "tmi",
        "SELECT b.t, b.m, b.i FROM {rows} AS b WHERE TRUE "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY b.t ORDER BY b.m DESC, b.i DESC) = 1",
    ),
    "order with nulls": ("ti", "SELECT ARRAY_LENGTH(ARRAY_AGG(i IGNORE NULLS)), MIN(t), MAX(t) FROM {rows}"),
    "digests": ("tr", "SELECT TO_HEX(SHA256(t)), TO_HEX(MD5(t)), TO_BASE64(r), TO_HEX(SHA256(r)) FROM {rows}"),
}


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=6)
@given(data=st.data())
def test_both_engines_answer_the_same(local: Local, name: str, data: st.DataObject) -> None:
    letters, query = QUERIES[name]
    columns = {letter: COLUMNS[letter][0] for letter in letters}
    row = st.fixed_dictionaries({letter: st.none() | COLUMNS[letter][1] for letter in letters})
    rows = data.draw(st.lists(row, max_size=12))
    assert comparable(locally(local, columns, rows, query)) == comparable(by_google(columns, rows, query))
