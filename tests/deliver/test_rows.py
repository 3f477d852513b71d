"""Rows are held against every rule of their contract; what breaks one is counted and named by hashed key alone."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from itertools import pairwise

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clients.counts import plain
from pipeline.contracts.dataset import Column, Total
from pipeline.deliver.rows import EXAMPLES, SLICE, Checks, Findings
from pipeline.errors import SourceChanged
from pipeline.records.schema import Violation
from tests.sample_contract import START, WINDOW, batch, dataset, sample_contract

Row = Mapping[str, object]
EXACT = Context(prec=100)


def hashed(*key: str) -> str:
    """A row's key as a report may name it."""
    return hashlib.sha256("\x1f".join(key).encode()).hexdigest()


def found(column: Column, *batches: Sequence[Row], totals: tuple[Total, ...] = ()) -> Findings:
    """What the checks find in these rows of a contract with this one column."""
    contract = dataset(column, totals=totals)
    checks = Checks(contract, WINDOW)
    for _ in checks.checking(batch(contract, rows) for rows in batches):
        pass
    return checks.findings


RULES: dict[str, tuple[Column, list[object], list[object]]] = {
    "required": (Column("v", "v", "STRING", required=True), ["x", "", " "], [None]),
    "required of a number": (Column("v", "v", "INT64", required=True), [0, -1], [None]),
    "pattern": (Column("v", "v", "STRING", pattern="^[A-Z]{2}$"), ["ES", None], ["es", "ESP", "", "💶"]),
    "pattern anywhere in the value": (Column("v", "v", "STRING", pattern="[0-9]"), ["a1b"], ["ab"]),
    "minLength": (Column("v", "v", "STRING", min_length=2), ["ab", "💶💶", None], ["a", "", "💶"]),
    "maxLength": (Column("v", "v", "STRING", max_length=3), ["abc", "日本語", "💶💶💶", None, ""], ["abcd", "💶" * 4]),
    "enum": (Column("v", "v", "STRING", allowed=("on", "off")), ["on", "off", None], ["ON", "", "on "]),
    "minimum": (Column("v", "v", "INT64", minimum=0), [0, 2**63 - 1, None], [-1, -(2**63)]),
    "maximum": (Column("v", "v", "INT64", maximum=10), [10, -(2**63), None], [11]),
    "minimum of a decimal": (
        Column("v", "v", "NUMERIC", scale=2, minimum=0),
        [Decimal("0.00"), Decimal("0.01"), None],
        [Decimal("-0.01")],
    ),
    "maximum of a decimal": (
        Column("v", "v", "BIGNUMERIC", scale=3, maximum=5),
        [Decimal(5), None],
        [Decimal("5.001")],
    ),
    "scale": (
        Column("v", "v", "NUMERIC", scale=2),
        [Decimal("1.10"), Decimal("-0.99"), Decimal(0), None, Decimal("99999999999999999999999999999.99")],
        [Decimal("1.101"), Decimal("0.000000001"), Decimal("-0.005")],
    ),
    "scale of a decimal with 76 digits": (
        Column("v", "v", "BIGNUMERIC", scale=12),
        [Decimal("1.123456789012"), Decimal("99999999999999999999999999.999999999999"), None, Decimal(0)],
        [
            Decimal("1.1234567890123"),
            Decimal("1e-38"),
            Decimal("12345678901234567890123456.0000000000001"),
            Decimal("100000000000000000000000000"),
            Decimal("-100000000000000000000000000"),
        ],
    ),
}


@pytest.mark.parametrize("case", RULES)
def test_a_rule_counts_just_the_rows_that_break_it_and_names_them_by_hashed_key(case: str) -> None:
    column, good, bad = RULES[case]
    rows = [{"v": value} for value in (*good, *bad, *good)]
    keys = tuple(hashed(f"k{number}") for number in range(len(good), len(good) + len(bad)))
    assert found(column, rows).violations == (Violation("v", case.split()[0], len(bad), keys),)


@pytest.mark.parametrize("case", RULES)
def test_rows_that_keep_a_rule_are_not_reported(case: str) -> None:
    column, good, _ = RULES[case]
    findings = found(column, [{"v": value} for value in good])
    assert (findings.rows, findings.violations) == (len(good), ())


@pytest.mark.parametrize("case", RULES)
def test_a_report_holds_no_value(case: str) -> None:
    column, _, bad = RULES[case]
    secret = [{"id": f"secret-{number}", "v": value} for number, value in enumerate(bad)]
    said = repr(found(column, secret).violations)
    assert "secret" not in said
    assert all(str(value) not in said for value in bad if value is not None and len(str(value)) > 5)


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        (START, True),
        (START + timedelta(minutes=59, seconds=59, microseconds=999_999), True),
        (START - timedelta(microseconds=1), False),
        (START + timedelta(hours=1), False),
    ],
)
def test_the_window_is_half_open(at: datetime, inside: bool) -> None:
    findings = found(Column("v", "v", "STRING"), [{"at": at}])
    assert findings.violations == (() if inside else (Violation("at", "window", 1, (hashed("k0"),)),))


@pytest.mark.parametrize("place", [0, 1, SLICE - 1, SLICE, SLICE + 4])
@pytest.mark.parametrize("text", ["a", "\U0001f4b6" * 4, "a\0b"], ids=["too short", "too long", "with a NUL"])
def test_one_row_of_a_large_batch_breaks_a_rule_wherever_it_is(text: str, place: int) -> None:
    rows = [{"v": "\U0001f4b6\u65e5b"}] * (SLICE + 5)
    rows[place] = {"v": text}
    (violation,) = found(Column("v", "v", "STRING", min_length=2, max_length=3), rows).violations
    assert violation.rows == 1


def test_a_change_column_that_is_null_breaks_the_rule_that_requires_it() -> None:
    assert [(v.column, v.rule) for v in found(Column("v", "v", "STRING"), [{"at": None}]).violations] == [
        ("at", "required")
    ]


def test_a_row_is_counted_under_every_rule_that_it_breaks() -> None:
    column = Column("v", "v", "STRING", pattern="^[A-Z]+$", max_length=2, allowed=("AA",))
    violations = found(column, [{"v": "aaaa"}, {"v": "AAAA"}, {"v": "AA"}]).violations
    assert [(v.rule, v.rows) for v in violations] == [("pattern", 1), ("maxLength", 2), ("enum", 2)]


def test_counts_add_up_over_batches_and_examples_stop_at_their_limit() -> None:
    column = Column("v", "v", "STRING", required=True)
    batches = [[{"id": f"{number}-{row}"} for row in range(15)] for number in range(3)]
    (violation,) = found(column, *batches).violations
    assert violation.rows == 45
    assert violation.keys[0] == hashed("0-0")
    assert len(violation.keys) == EXAMPLES == len(set(violation.keys))


@pytest.mark.parametrize("size", [1, 100, SLICE // 2, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE])
def test_frames_have_about_one_size_whatever_the_warehouse_sends_at_a_time(size: int) -> None:
    values = list(range(2 * SLICE + 1000))
    contract = dataset(Column("v", "v", "INT64"))
    whole = batch(contract, [{"v": value} for value in values])
    parts = (whole.slice(start, size) for start in range(0, len(values), size))
    frames = list(Checks(contract, WINDOW).checking(parts))
    assert [value for frame in frames for value in frame["v"]] == values
    assert all(frame.height <= SLICE for frame in frames)
    assert all(one.height + two.height > SLICE for one, two in pairwise(frames))


def test_a_key_of_several_columns_is_hashed_as_one() -> None:
    contract = dataset(Column("line", "line", "INT64", required=True), Column("v", "v", "INT64", minimum=0))
    checks = Checks(dataset(*contract.columns[1:3], key=("id", "line")), WINDOW)
    list(checks.checking([batch(contract, [{"id": "a", "line": 7, "v": -1}])]))
    assert checks.findings.violations[0].keys == (hashed("a", "7"),)


@given(st.lists(st.integers(-(10**38) + 1, 10**38 - 1), min_size=1, max_size=10), st.integers(0, 38))
def test_every_decimal_of_38_digits_at_the_contracts_scale_comes_through_exactly(units: list[int], scale: int) -> None:
    contract = dataset(Column("v", "v", "BIGNUMERIC", scale=scale))
    values = [Decimal(unit).scaleb(-scale, EXACT) for unit in units]
    checks = Checks(contract, WINDOW)
    (frame,) = checks.checking([batch(contract, [{"v": value} for value in values])])
    assert checks.findings.violations == ()
    assert frame["v"].to_list() == values


def test_a_decimal_at_which_arrow_divides_wrongly_comes_through_exactly() -> None:
    """pyarrow 26 takes this value's conversion from 256 to 128 bits for a loss; none of its digits is lost."""
    value = Decimal("18446744.072319669588")
    contract = dataset(Column("v", "v", "BIGNUMERIC", scale=12))
    checks = Checks(contract, WINDOW)
    (frame,) = checks.checking([batch(contract, [{"v": value}, {"v": None}])])
    assert checks.findings.violations == ()
    assert frame["v"].to_list() == [value, None]


def test_the_frame_has_the_contracts_columns_in_its_order_whatever_order_the_source_has() -> None:
    contract = sample_contract()
    rows = batch(contract, [{"booking": "b", "line": 1, "touched": START}])
    (frame,) = Checks(contract, WINDOW).checking([rows.select([*reversed(rows.schema.names)])])
    assert frame.columns == [column.name for column in contract.columns]
    assert frame.schema["rate"] == pl.Decimal(38, 18)
    assert frame.schema["touched"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize(
    ("type_", "array"),
    [
        ("STRING", pa.array([1], pa.int64())),
        ("INT64", pa.array(["1"], pa.string())),
        ("INT64", pa.array([1.0], pa.float64())),
        ("NUMERIC", pa.array([1.5], pa.float64())),
        ("BOOL", pa.array([1], pa.int64())),
        ("DATE", pa.array([datetime(2026, 1, 1)], pa.timestamp("us"))),
        ("TIMESTAMP", pa.array([datetime(2026, 1, 1)], pa.timestamp("us"))),
        ("TIMESTAMP", pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("ns", "UTC"))),
        ("JSON", pa.array([b"{}"], pa.binary())),
    ],
)
def test_a_column_of_another_type_than_the_contracts_is_refused_by_name(type_: str, array: pa.Array) -> None:
    column = Column("v", "source_name", type_, scale=2 if type_ == "NUMERIC" else None)  # type: ignore[arg-type]
    contract = dataset(column)
    given = pa.RecordBatch.from_arrays(
        [pa.array(["k"]), array, pa.array([START], pa.timestamp("us", "UTC"))], ["id", "v", "at"]
    )
    with pytest.raises(SourceChanged, match=rf"column source_name is .*; the contract says {type_}"):
        list(Checks(contract, WINDOW).checking([given]))


def test_a_column_that_the_table_does_not_have_is_named() -> None:
    contract = dataset(Column("v", "source_name", "STRING"))
    with pytest.raises(SourceChanged, match="no column source_name, which the contract names"):
        list(Checks(contract, WINDOW).checking([batch(dataset(), [{}])]))


def test_large_strings_are_strings() -> None:
    contract = dataset(Column("v", "v", "STRING"))
    rows = pa.table(batch(contract, [{"v": "x"}])).set_column(1, "v", pa.array(["x"], pa.large_string()))
    (frame,) = Checks(contract, WINDOW).checking(rows.to_batches())
    assert frame["v"].to_list() == ["x"]


TEXTS = ("=1+1", "+49 30", "-", "@x", "\t1", "\r1", "'=1", "'", "a=1", "", "1", None, "a\0b", "\0")
FORMULAS = {"=1+1", "+49 30", "-", "@x", "\t1", "\r1"}
NULS = {"a\0b", "\0"}


def sent(rows: Sequence[Row], **policies: str) -> tuple[list[object], tuple[Violation, ...]]:
    """The texts of column `v` as they are written, and what broke the contract."""
    contract = dataset(Column("v", "v", "STRING"), **policies)
    checks = Checks(contract, WINDOW)
    frames = list(checks.checking([batch(contract, rows)]))
    return [value for frame in frames for value in frame["v"].to_list()], checks.findings.violations


@pytest.mark.parametrize(("rule", "policy", "bad"), [("formula", "formulas", FORMULAS), ("nul", "nul", NULS)])
def test_what_a_contract_refuses_in_texts_is_counted_and_nothing_else(rule: str, policy: str, bad: set[str]) -> None:
    rows = [{"v": text} for text in TEXTS]
    written, violations = sent(rows, **{"formulas": "pass", "nul": "pass", policy: "refuse"})
    keys = tuple(hashed(f"k{number}") for number, text in enumerate(TEXTS) if text in bad)
    assert violations == (Violation("v", rule, len(bad), keys),)
    assert written == list(TEXTS)


def test_what_a_contract_lets_pass_is_written_as_it_is() -> None:
    assert sent([{"v": text} for text in TEXTS], formulas="pass", nul="pass") == (list(TEXTS), ())


def test_by_default_formulas_pass_and_nul_is_refused() -> None:
    contract = dataset()
    assert (contract.formulas, contract.nul) == ("pass", "refuse")


@given(st.lists(st.none() | st.text("=+-@\t\r' a1", max_size=4), min_size=1, max_size=8))
def test_escaped_texts_are_no_formulas_and_can_be_read_back(texts: list[str | None]) -> None:
    written, violations = sent([{"v": text} for text in texts], formulas="escape")
    assert violations == ()
    assert not [text for text in written if text is not None and str(text)[:1] in tuple("=+-@\t\r")]
    back = [text.removeprefix("'") if isinstance(text, str) else None for text in written]
    assert back == texts


def test_an_escaped_nul_is_a_sign_and_rules_hold_for_what_is_written() -> None:
    assert sent([{"v": "a\0"}], nul="escape") == (["a\u2400"], ())
    contract = dataset(Column("v", "v", "STRING", max_length=2), formulas="escape")
    checks = Checks(contract, WINDOW)
    list(checks.checking([batch(contract, [{"v": "=1"}])]))
    assert [violation.rule for violation in checks.findings.violations] == ["maxLength"]


def test_a_nul_in_a_key_is_refused_even_where_it_is_escaped_elsewhere() -> None:
    contract = dataset(nul="escape")
    checks = Checks(contract, WINDOW)
    list(checks.checking([batch(contract, [{"id": "a\0"}])]))
    assert [violation.rule for violation in checks.findings.violations] == ["nul"]


TOTALS = (Total("sum", "v"), Total("min", "v"), Total("max", "v"))


@given(
    st.lists(st.none() | st.integers(-(10**36), 10**36), max_size=12),
    st.lists(st.integers(0, 12), max_size=4).map(sorted),
)
def test_control_totals_are_exact_however_the_rows_were_cut(units: list[int | None], cuts: list[int]) -> None:
    values = [None if unit is None else Decimal(unit).scaleb(-9, EXACT) for unit in units]
    bounds = [0, *(min(cut, len(values)) for cut in cuts), len(values)]
    batches = [[{"v": value} for value in values[start:end]] for start, end in pairwise(bounds)]
    totals = found(Column("v", "v", "NUMERIC", scale=9), *batches, totals=TOTALS).totals
    there = [value for value in values if value is not None]
    right = {"sum(v)": sum_of(there), "min(v)": min(there, default=None), "max(v)": max(there, default=None)}
    assert {str(total): totals.get(str(total)) for total in TOTALS} == right


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=8))
def test_a_sum_of_whole_numbers_does_not_wrap_around(values: list[int | None]) -> None:
    totals = found(Column("v", "v", "INT64"), [{"v": value} for value in values], totals=TOTALS[:1]).totals
    there = [value for value in values if value is not None]
    assert totals.get("sum(v)") == (sum(there) if there else None)


@pytest.mark.parametrize("scale", [0, 9, 38])
def test_a_sum_beyond_38_digits_is_exact(scale: int) -> None:
    most = Decimal(10**38 - 1).scaleb(-scale, EXACT)
    column = Column("v", "v", "BIGNUMERIC", scale=scale)
    totals = found(column, [{"v": most}] * 40, [{"v": most}] * 3, totals=TOTALS[:1]).totals
    assert totals["sum(v)"] == EXACT.multiply(most, Decimal(43))


def sum_of(values: list[Decimal]) -> Decimal | None:
    """The exact sum; None of nothing, as SQL has it."""
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total if values else None


def test_totals_of_days_and_instants_are_written_as_the_warehouse_writes_them() -> None:
    totals = (Total("min", "v"), Total("max", "at"))
    days: list[Row] = [{"v": date(2026, 1, 2)}, {"v": date(1999, 12, 31)}, {"v": None}]
    seen = found(Column("v", "v", "DATE"), days, totals=totals).totals
    assert {name: plain(value) for name, value in seen.items()} == {
        "min(v)": "1999-12-31",
        "max(at)": "2026-11-23T13:00:00Z",
    }
