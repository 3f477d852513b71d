"""CSV: foreign readers read back exactly what went in, whatever the values hold."""

import csv
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.contracts.dataset import Column, Dataset
from pipeline.deliver.csvfile import csv_bytes
from pipeline.deliver.rows import Checks
from tests.sample_contract import EXACT, START, WINDOW, batch, dataset, in_file, sample_contract

Rows = list[tuple[str | None, ...]]
SCALE = 12
COLUMNS = (
    Column("text", "text", "STRING"),
    Column("doc", "doc", "JSON"),
    Column("number", "number", "INT64"),
    Column("amount", "amount", "NUMERIC", scale=9),
    Column("cents", "cents", "NUMERIC", scale=2),
    Column("big", "big", "BIGNUMERIC", scale=SCALE),
    Column("flag", "flag", "BOOL"),
    Column("day", "day", "DATE"),
    Column("seen", "seen", "TIMESTAMP"),
)
EVERYTHING = dataset(*COLUMNS)


def written(contract: Dataset, *batches: Sequence[Mapping[str, object]]) -> bytes:
    """The file that these rows become on the way that rows take."""
    checks = Checks(contract, WINDOW)
    return b"".join(csv_bytes(checks.checking(batch(contract, rows) for rows in batches), contract))


def expected(contract: Dataset, rows: Sequence[Mapping[str, object]]) -> Rows:
    """What every reader must find."""
    whole = [{"id": f"k{number}", "at": START, **row} for number, row in enumerate(rows)]
    return [tuple(in_file(column, row.get(column.name)) for column in contract.columns) for row in whole]


def by_python(content: bytes, contract: Dataset) -> Rows:
    """Python's csv, strict; it cannot tell null from empty."""
    found = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
    assert found[0] == [column.name for column in contract.columns]
    return [tuple(row) for row in found[1:]]


def by_duckdb(content: bytes, contract: Dataset) -> Rows:
    """DuckDB, strict, null and empty kept apart."""
    columns = "{" + ", ".join(f"'{column.name}': 'VARCHAR'" for column in contract.columns) + "}"
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(content)
        file.flush()
        return (
            duckdb.connect()
            .execute(
                f"SELECT * FROM read_csv('{file.name}', header=true, columns={columns}, auto_detect=false, delim=',', "
                "quote='\"', escape='\"', nullstr='', allow_quoted_nulls=false, strict_mode=true)"
            )
            .fetchall()
        )


def by_pandas(content: bytes, contract: Dataset) -> Rows:
    """pandas, everything as text; it cannot tell null from empty."""
    frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, na_filter=False)
    assert list(frame.columns) == [column.name for column in contract.columns]
    return [tuple(map(str, row)) for row in frame.itertuples(index=False, name=None)]


READERS: dict[str, tuple[Callable[[bytes, Dataset], Rows], bool]] = {
    "python": (by_python, False),
    "duckdb": (by_duckdb, True),
    "pandas": (by_pandas, False),
}


def without_null(rows: Rows) -> Rows:
    """What a reader finds that takes an empty field for an empty string."""
    return [tuple(value or "" for value in row) for row in rows]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.text(
    st.sampled_from("\",\r\n \t;'\\aé💶𝔘\u2028\ufeff"), max_size=8
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.fixed_dictionaries(
    {
        "text": st.none() | TEXT,
        "doc": st.none() | TEXT,
        "number": st.none() | INTEGERS,
        "amount": st.none() | st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: Decimal(n).scaleb(-9, EXACT)),
        "cents": st.none() | st.integers(-(10**31) + 1, 10**31 - 1).map(lambda n: Decimal(n).scaleb(-2, EXACT)),
        "big": st.none() | st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: Decimal(n).scaleb(-SCALE, EXACT)),
        "flag": st.none() | st.booleans(),
        "day": st.none() | st.dates(),
        "seen": st.none() | st.datetimes(datetime(1, 1, 1), timezones=st.just(UTC)),
    }
)
HARD: list[Mapping[str, object]] = [
    {"text": text}
    for text in (
        *('"', '""', '"a"', 'say "hi", she said', ",", ",,", "\r", "\n", "\r\n", "a\rb", "\n\n", "a\r", "\rb", " ", ""),
        *("  both  ", "\t", "007", "+1", "1e5", "-0", "null", "NULL", "\\N", "NaN", "None", "#", "'", "=1+1"),
        *("💶", "𝔘𝔫𝔦", "e\u0301", "\u202e", "\u2028", "\x85", "\x1f", "\ufeff", "日本", "\\", '\\"'),
    )
]


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=60)
@given(st.lists(VALUES, max_size=8))
@example(HARD)
@example([{column.name: None for column in COLUMNS}])
def test_a_foreign_reader_finds_exactly_what_went_in(reader: str, rows: Sequence[Mapping[str, object]]) -> None:
    read, tells_null = READERS[reader]
    content = written(EVERYTHING, rows)
    right = expected(EVERYTHING, rows)
    assert read(content, EVERYTHING) == (right if tells_null else without_null(right))


def test_null_and_the_empty_string_differ() -> None:
    content = written(EVERYTHING, [{"text": None, "doc": ""}, {"text": "", "doc": None}])
    lines = content.split(b"\r\n")
    assert lines[1].startswith(b'k0,,"",')
    assert lines[2].startswith(b'k1,"",,')
    assert [row[1:3] for row in by_duckdb(content, EVERYTHING)] == [(None, ""), ("", None)]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_null_is_an_empty_field_in_every_column(column: Column) -> None:
    alone = dataset(column)
    assert written(alone, [{column.name: None}]).split(b"\r\n")[1] == b"k0,,2026-11-23T13:00:00.000000Z"
    assert by_duckdb(written(alone, [{}]), alone)[0][1] is None


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("amount", "12345678901234567890123456789.123456789", "12345678901234567890123456789.123456789"),
        ("amount", "-99999999999999999999999999999.999999999", "-99999999999999999999999999999.999999999"),
        ("amount", "0.000000001", "0.000000001"),
        ("amount", "1E+28", "10000000000000000000000000000.000000000"),
        ("cents", "0", "0.00"),
        ("cents", "-0.01", "-0.01"),
        ("cents", "1E+3", "1000.00"),
        ("big", "12345678901234567890123456.123456789012", "12345678901234567890123456.123456789012"),
        ("big", "-0.000000000001", "-0.000000000001"),
        ("big", "99999999999999999999999999.999999999999", "99999999999999999999999999.999999999999"),
    ],
)
def test_decimals_stand_at_the_scale_of_the_contract_never_in_exponent_notation(
    column: str, value: str, text: str
) -> None:
    content = written(EVERYTHING, [{column: Decimal(value)}])
    names = [column.name for column in EVERYTHING.columns]
    assert by_duckdb(content, EVERYTHING)[0][names.index(column)] == text


def test_leading_zeros_and_numbers_in_text_stay_text() -> None:
    content = written(EVERYTHING, [{"text": "000123"}, {"text": "1.50"}, {"text": "1e3"}])
    assert [row[1] for row in by_pandas(content, EVERYTHING)] == ["000123", "1.50", "1e3"]


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 11, 23, 13, tzinfo=UTC), b"2026-11-23T13:00:00.000000Z"),
        (datetime(2026, 11, 23, 13, 0, 0, 1, tzinfo=UTC), b"2026-11-23T13:00:00.000001Z"),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), b"1969-12-31T23:59:59.999999Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), b"9999-12-31T23:59:59.999999Z"),
        (datetime(1, 1, 1, tzinfo=UTC), b"0001-01-01T00:00:00.000000Z"),
    ],
)
def test_timestamps_are_rfc_3339_in_utc_with_microseconds(instant: datetime, text: bytes) -> None:
    assert text in written(EVERYTHING, [{"seen": instant}])


@given(st.lists(st.none() | st.datetimes(), min_size=1, max_size=20))
def test_any_instant_stands_as_python_writes_it(instants: list[datetime | None]) -> None:
    frame = pl.DataFrame({"seen": pl.Series(instants, dtype=pl.Datetime("us")).dt.replace_time_zone("UTC")})
    lines = b"".join(csv_bytes([frame], dataset())).split(b"\r\n")[1:-1]
    expected = ["" if one is None else f"{one.isoformat(timespec='microseconds')}Z" for one in instants]
    assert [line.decode() for line in lines] == expected


def test_the_file_is_utf8_without_a_mark_with_a_header_and_crlf_after_every_line() -> None:
    content = written(EVERYTHING, [{"text": "é"}, {"text": "ü"}])
    assert content.startswith(b"id,text,doc,")
    assert content.endswith(b"\r\n")
    assert content.count(b"\r\n") == content.count(b"\n") == 3


def test_a_value_is_quoted_only_where_it_needs_to_be() -> None:
    plain = written(dataset(Column("text", "text", "STRING")), [{"text": "plain text; with - marks'"}])
    assert b'"' not in plain
    assert written(dataset(Column("text", "text", "STRING")), [{"text": 'a,"b"'}]).count(b'"a,""b"""') == 1


def test_no_rows_make_a_file_with_the_header_alone() -> None:
    assert written(EVERYTHING) == b"id,text,doc,number,amount,cents,big,flag,day,seen,at\r\n"
    assert written(EVERYTHING, []) == written(EVERYTHING)


def test_how_rows_were_cut_into_batches_does_not_show() -> None:
    rows = [{"id": f"k{number}", "text": "x\ny"} for number in range(50)]
    assert written(EVERYTHING, *([row] for row in rows)) == written(EVERYTHING, rows)


def test_a_piece_leaves_before_the_next_frame_is_asked_for() -> None:
    asked: list[int] = []

    def frames() -> Iterator[pl.DataFrame]:
        for number in range(3):
            asked.append(number)
            yield pl.DataFrame({"id": ["a"], "at": [START + timedelta(minutes=1)]})

    stream = csv_bytes(frames(), dataset())
    next(stream)
    assert asked == []
    next(stream)
    assert asked == [0]


def test_the_columns_are_those_of_the_contract_in_its_order_under_the_names_of_the_file() -> None:
    contract = sample_contract()
    header = b"".join(csv_bytes([], contract))
    assert header == b"booking,line,text,amount,rate,booked,cleared,details,touched\r\n"
