"""What is claimed of a change is tried: on generated contracts, changes and files, read by the other contract.

A claim that readers read on is tried on generated files by two readers, both of which must take every value as it was
meant. A claim that they do not comes with an example, and a file that holds it is refused or misread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from pipeline.contracts.column_rules import pairs
from pipeline.contracts.compatibility import Comparison, Effect
from pipeline.contracts.dataset import Column, Dataset
from pipeline.contracts.rules import compare
from pipeline.contracts.values import beyond
from pipeline.deliver.csvfile import csv_bytes
from pipeline.deliver.rows import Checks
from tests.contracts.file_readers import How, Values, duckdb_table, meaning, own_checks, texts
from tests.sample_contract import WINDOW, batch, dataset

PATTERNS: Final = (
    "^[A-Z]{2}$",
    "^[A-Z]{2,3}$",
    "^[A-Z0-9]{2}$",
    "^[0-9]{1,4}$",
    "^(ab|AB)+$",
    "[a-c]",
    r"^\d{3}$",
    "^x",
)
ALPHABET: Final = "abAB019 -_,\"'{}[]:.\u00e9"
TYPES: Final = ("STRING", "STRING", "STRING", "INT64", "NUMERIC", "BIGNUMERIC", "BOOL", "DATE", "TIMESTAMP", "JSON")
STRICT: Final = settings(max_examples=2500, print_blob=False, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def columns(draw: st.DrawFn, name: str) -> Column:
    """A column with some of the rules that go with its type."""
    type_ = draw(st.sampled_from(TYPES))
    made = Column(name, name, type_, required=draw(st.booleans()))  # type: ignore[arg-type]  # one of TYPES
    if type_ in ("NUMERIC", "BIGNUMERIC"):
        scale = draw(st.integers(0, 4))
        made = replace(made, scale=scale, precision=draw(st.integers(scale + 1, 20)))
    if type_ in ("INT64", "NUMERIC", "BIGNUMERIC"):
        low, high = draw(st.none() | st.integers(-50, 5)), draw(st.none() | st.integers(5, 2000))
        made = replace(made, minimum=low, maximum=high)
    if type_ != "STRING":
        return made
    match draw(st.sampled_from(("free", "length", "pattern", "values"))):
        case "length":
            least = draw(st.integers(0, 3))
            return replace(made, min_length=least or None, max_length=draw(st.none() | st.integers(max(least, 1), 6)))
        case "pattern":
            return replace(made, pattern=draw(st.sampled_from(PATTERNS)))
        case "values":
            values = st.sampled_from(("AB", "ABC", "12", "true", "2026-11-23", "{}", "", "1.50"))
            return replace(made, allowed=tuple(draw(st.lists(values, min_size=1, max_size=4, unique=True))))
    return made


@st.composite
def contracts(draw: st.DrawFn) -> Dataset:
    """A contract with one to four columns beside its key and change column."""
    count = draw(st.integers(1, 4))
    return dataset(*[draw(columns(f"c{number}")) for number in range(count)])


def _added(draw: st.DrawFn, given: list[Column]) -> list[Column]:
    at = draw(st.integers(0, len(given)))
    return [*given[:at], draw(columns("added")), *given[at:]]


def _removed(draw: st.DrawFn, given: list[Column]) -> list[Column]:
    at = draw(st.integers(0, len(given) - 1))
    return [*given[:at], *given[at + 1 :]]


def _moved(draw: st.DrawFn, given: list[Column]) -> list[Column]:
    return draw(st.permutations(given))


def _renamed(draw: st.DrawFn, given: list[Column]) -> list[Column]:
    at = draw(st.integers(0, len(given) - 1))
    return [replace(column, name="renamed") if number == at else column for number, column in enumerate(given)]


def _other_values(draw: st.DrawFn, given: list[Column]) -> list[Column]:
    at = draw(st.integers(0, len(given) - 1))
    other = replace(draw(columns("other")), name=given[at].name, source=given[at].source)
    return [other if number == at else column for number, column in enumerate(given)]


def _other_rule(draw: st.DrawFn, given: list[Column]) -> list[Column]:
    """One rule more, less, or other, of the same type: the changes that are nearest to harmless."""
    at = draw(st.integers(0, len(given) - 1))
    column = given[at]
    edits: list[dict[str, Any]] = [{"required": not column.required}]
    if column.type == "STRING":
        edits += [{"pattern": pattern} for pattern in (None, *PATTERNS)]
        edits += [{"allowed": None}, {"max_length": None}, {"max_length": 3}, {"min_length": None}, {"min_length": 1}]
        edits += [{"allowed": (*column.allowed, "more")}, {"allowed": column.allowed[:1]}] if column.allowed else []
    if column.type in ("NUMERIC", "BIGNUMERIC"):
        scale, precision = column.scale or 0, column.precision or 38
        edits += [{"scale": scale + 1}, {"scale": scale + 1, "precision": precision + 1}, {"precision": precision + 3}]
        edits += [{"type": "BIGNUMERIC"}, {"type": "NUMERIC"}]
    if column.type in ("INT64", "NUMERIC", "BIGNUMERIC"):
        edits += [{"minimum": None}, {"maximum": None}, {"minimum": 1}, {"maximum": 999}]
    changed = replace(column, **draw(st.sampled_from(edits)))
    return [changed if number == at else one for number, one in enumerate(given)]


CHANGES: Final[tuple[Callable[[st.DrawFn, list[Column]], list[Column]], ...]] = (
    _added,
    _removed,
    _moved,
    _renamed,
    _other_values,
    _other_rule,
    _other_rule,
)


@st.composite
def changed(draw: st.DrawFn) -> tuple[Dataset, Dataset]:
    """A contract, and what one or two changes made of it."""
    old = draw(contracts())
    inner = list(old.columns[1:-1])
    for _ in range(draw(st.integers(1, 2))):
        change = draw(st.sampled_from(CHANGES))
        if inner:
            inner = change(draw, inner)
    assume(len({column.name for column in inner}) == len(inner))
    return old, replace(old, columns=(old.columns[0], *inner, old.columns[-1]))


def values(column: Column) -> st.SearchStrategy[object]:
    """Values that the column may hold, nulls among them where they may be."""
    made: st.SearchStrategy[Any]
    match column.type:
        case "STRING" if column.allowed is not None:
            made = st.sampled_from(column.allowed)
        case "STRING" if column.pattern is not None:
            made = st.from_regex(column.pattern, alphabet=st.sampled_from(ALPHABET + "C23x\u0663"))
        case "STRING":
            made = st.text(ALPHABET, min_size=column.min_length or 0, max_size=min(column.max_length or 8, 8))
        case "BOOL":
            made = st.booleans()
        case "DATE":
            made = st.dates()
        case "TIMESTAMP":
            made = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
        case "JSON":
            made = st.sampled_from(("{}", '{"a": [1, null]}', "[]", '"text"', "true", "1.50"))
        case _:
            unit = Decimal(1).scaleb(-(column.scale or 0))
            most = 10 ** min(column.precision or 18, 18) - 1
            low = max(-most, int((column.minimum if column.minimum is not None else -(10**12)) / unit))
            high = min(most, int((column.maximum if column.maximum is not None else 10**12) / unit))
            assume(low <= high)
            made = st.integers(low, high) | st.sampled_from((low, high))
            made = made if column.type == "INT64" else made.map(lambda number: number * unit)
    return made if column.required else st.none() | made


def file(writer: Dataset, rows: list[dict[str, object]]) -> bytes | None:
    """The file of these rows as a delivery under the contract makes it; None where the rows break the contract."""
    checks = Checks(writer, WINDOW)
    content = b"".join(csv_bytes(checks.checking([batch(writer, rows)]), writer))
    return None if checks.findings.violations else content


def meant(content: bytes, writer: Dataset, reader: Dataset) -> Values:
    """What a reader must take for each of its columns: the value of the same column of the warehouse, or null."""
    table = texts(content)
    at = {column.source: str(number) for number, column in enumerate(writer.columns)}
    return {
        column.source: [
            meaning(column, text)
            for text in (table[at[column.source]].to_pylist() if column.source in at else [None] * table.num_rows)
        ]
        for column in reader.columns
    }


def claims(comparison: Comparison) -> list[tuple[str, How, Dataset, Dataset, bool]]:
    """Every claim: what, the kind of reader, who writes, who reads, and whether it reads."""
    effects: dict[How, Effect] = {"name": comparison.by_name, "position": comparison.by_position}
    return [
        claim
        for how, effect in effects.items()
        for claim in (
            ("backward", how, comparison.old, comparison.new, effect.backward),
            ("forward", how, comparison.new, comparison.old, effect.forward),
        )
    ]


@STRICT
@given(st.data())
def test_who_is_said_to_read_reads_every_value_as_it_was_meant(data: st.DataObject) -> None:
    comparison = compare(*data.draw(changed()))
    for what, how, writer, reader, reads in claims(comparison):
        if not reads:
            continue
        inner = writer.columns[1:-1]
        row = st.fixed_dictionaries({column.name: values(column) for column in inner})
        content = file(writer, data.draw(st.lists(row, max_size=4)))
        assume(content is not None)
        assert content is not None
        expected = meant(content, writer, reader)
        assert own_checks(content, reader, how, WINDOW) == expected, (what, how)
        assert duckdb_table(content, reader, how) == expected, (what, how)


def surplus_rows(writer: Dataset, reader: Dataset) -> list[dict[str, object]]:
    """A row for each example of a value that the reader is said not to read, others at a value that may be."""
    rows: list[dict[str, object]] = []
    same = {column.name: other for column, other in pairs(writer, reader)}
    for column in writer.columns[1:-1]:
        found = beyond(column, same[column.name]) if column.name in same else None
        if found is not None and found.found:
            rows.append({column.name: meaning(column, found.text)})
    return rows


@STRICT
@given(st.data())
def test_who_is_said_not_to_read_refuses_the_example_or_misreads_it(data: st.DataObject) -> None:
    """Where columns moved or have other names, the generated rows are the examples."""
    comparison = compare(*data.draw(changed()))
    for what, how, writer, reader, reads in claims(comparison):
        if reads or not all(change.proven for change in comparison.changes):
            continue
        inner = writer.columns[1:-1]
        full = {column.name: values(replace(column, required=True)) for column in inner}
        examples = surplus_rows(writer, reader) + [{} for _ in range(6)]
        rows = [{name: data.draw(made) for name, made in full.items()} | example for example in examples]
        content = file(writer, rows)
        assume(content is not None)
        assert content is not None
        read = own_checks(content, reader, how, WINDOW)
        try:
            misread = read is not None and read != meant(content, writer, reader)
        except (ValueError, KeyError, ArithmeticError):
            misread = read is not None  # what was meant is no value of the reader's type
        if read is not None and not misread:  # exchanged columns whose values happen to be the same show nothing
            assert any(change.rule == "order" for change in comparison.changes), (what, how)
            reject()
