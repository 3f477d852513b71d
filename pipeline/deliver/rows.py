"""Checks on frames: Arrow batches become frames with the contract's types, and every value is held against its rules.

Pure and vectorised: one pass over each batch, nothing kept but counters. What breaks the contract is counted by rule;
the rows are named by a hash of their key, never by a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts.dataset import ESCAPED, LARGEST_SCALE, Column, Dataset
from pipeline.errors import SourceChanged
from pipeline.records.schema import Violation
from pipeline.streams.digest import key_digest
from pipeline.window import Window

EXAMPLES: Final = 20
"""Hashed keys that a violation names; the count says how many rows there are in all."""

SLICE: Final = 32_768
"""Rows of one frame: every step holds a copy of one, and the calls of all steps cost 2 ms a frame, as 2,500 rows do."""

FORMULA: Final = r"^[=+\-@\t\r]"
"""What begins so is carried out by a spreadsheet that opens the file."""

NUL_SIGN: Final = "\u2400"
"""What stands for the character NUL where it is escaped: the symbol of it."""

DIGITS: Final = 38
"""Most digits of a decimal in a frame."""

_ARROW: Final = {
    "STRING": (pa.string(), pa.large_string()),
    "JSON": (pa.string(), pa.large_string()),
    "INT64": (pa.int64(),),
    "BOOL": (pa.bool_(),),
    "DATE": (pa.date32(),),
    "TIMESTAMP": (pa.timestamp("us", "UTC"),),
}


@dataclass(slots=True)
class Findings:
    """What the checks saw so far: rows, violations, and control totals recomputed from the rows themselves."""

    rows: int = 0
    _broken: dict[tuple[str, str], Violation] = field(default_factory=dict)
    totals: dict[str, object] = field(default_factory=dict)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Every rule that was broken, in the order in which it was first met."""
        return tuple(self._broken.values())

    def broke(self, column: str, rule: str, rows: int, keys: Iterable[str]) -> None:
        """Add rows that break a rule."""
        known = self._broken.get((column, rule), Violation(column, rule, 0, ()))
        named = tuple(dict.fromkeys((*known.keys, *keys)))[:EXAMPLES]
        self._broken[column, rule] = Violation(column, rule, known.rows + rows, named)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a column must keep: `broken` says of each row whether it does not.

    `surely_kept`, where there is one, sees from an array of texts as they came, and at a fraction of the time, that
    none can break the rule.
    """

    column: str
    name: str
    broken: pl.Expr
    surely_kept: Callable[[pa.Array], bool] | None = None


class Checks:
    """The rules of one dataset and window as frame expressions, made once for a stream of batches."""

    def __init__(self, dataset: Dataset, window: Window) -> None:
        self.dataset = dataset
        self.findings = Findings()
        self._rules = [rule for column in dataset.columns for rule in (*_rules(column), *_text_rules(column, dataset))]
        self._escapes = [escape for column in dataset.columns for escape in _escapes(column, dataset)]
        change = pl.col(dataset.change)
        outside = (change < window.start) | (change >= window.end)
        self._rules.append(_Rule(dataset.change, "window", outside))

    def checking(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pl.DataFrame]:
        """Frames of at most SLICE rows, columns in the contract's order and types, whether or not rows break rules.

        Ask `findings` afterwards. Raises SourceChanged where the table's columns are not the contract's.
        """
        for batch in _joined(batches):
            frame = self._typed(batch)
            self._check(frame, [rule for rule in self._rules if not self._is_surely_kept(rule, batch)])
            self._add_totals(frame)
            yield frame

    def _typed(self, batch: pa.RecordBatch) -> pl.DataFrame:
        arrays = []
        for column in self.dataset.columns:
            index = batch.schema.get_field_index(column.name)
            if index < 0:
                raise SourceChanged(f"The table has no column {column.source}, which the contract names.")
            arrays.append(self._array(batch, column, batch.column(index)))
        names = [column.name for column in self.dataset.columns]
        frame = pl.from_arrow(pa.RecordBatch.from_arrays(arrays, names))
        assert isinstance(frame, pl.DataFrame)
        decimals = [column for column in self.dataset.columns if column.type == "NUMERIC"]
        scaled = frame.with_columns(_at_scale(column) for column in decimals) if decimals else frame
        for column in decimals:
            lossy = (frame[column.name] != scaled[column.name]).fill_null(False)
            if lossy.any():
                self.findings.broke(column.name, "scale", int(lossy.sum()), self._hashed(scaled.filter(lossy)))
        return scaled.with_columns(self._escapes) if self._escapes else scaled

    def _array(self, batch: pa.RecordBatch, column: Column, array: pa.Array) -> pa.Array:
        if column.type in LARGEST_SCALE and pa.types.is_decimal(array.type):
            return self._narrowed(batch, column, array) if pa.types.is_decimal256(array.type) else array
        if array.type in _ARROW.get(column.type, ()):
            return array
        raise SourceChanged(f"The table's column {column.source} is {array.type}; the contract says {column.type}.")

    def _narrowed(self, batch: pa.RecordBatch, column: Column, array: pa.Array) -> pa.Array:
        """BIGNUMERIC at the contract's scale in 38 digits; what does not fit is counted and left out."""
        type_ = pa.decimal128(38, column.scale)
        try:
            return pc.cast(array, type_)
        except pa.ArrowInvalid:  # a value does not fit, or Arrow's 256-bit division erred, as it does near 2^64 units
            values = array.to_pylist()
            exact = [None if value is None else _exactly(value, column.scale or 0) for value in values]
            unfit = [value is not None and fit is None for value, fit in zip(values, exact, strict=True)]
            if any(unfit):
                keys = pl.from_arrow(batch.select(list(self.dataset.key)).filter(pa.array(unfit)))
                assert isinstance(keys, pl.DataFrame)
                self.findings.broke(column.name, "scale", keys.height, self._hashed(keys))
            return pa.array(exact, type_)

    def _is_surely_kept(self, rule: _Rule, batch: pa.RecordBatch) -> bool:
        """Whether the batch cannot break the rule; not asked where texts are escaped, and are longer than they came."""
        return not self._escapes and rule.surely_kept is not None and rule.surely_kept(batch.column(rule.column))

    def _check(self, frame: pl.DataFrame, rules: list[_Rule]) -> None:
        self.findings.rows += frame.height
        counts = frame.select(rule.broken.sum().alias(str(number)) for number, rule in enumerate(rules)).row(0)
        for rule, count in zip(rules, counts, strict=True):
            if count:
                self.findings.broke(rule.column, rule.name, int(count), self._hashed(frame.filter(rule.broken)))

    def _hashed(self, rows: pl.DataFrame) -> list[str]:
        """The first rows by the digest of their key."""
        keys = rows.select(pl.col(name).cast(pl.String) for name in self.dataset.key).head(EXAMPLES).rows()
        return [key_digest(key) for key in keys]

    def _add_totals(self, frame: pl.DataFrame) -> None:
        totals = self.findings.totals
        for total in self.dataset.totals:
            name, series = str(total), frame[total.column]
            value = _TOTALS[total.function](series) if series.len() > series.null_count() else None
            if value is None:
                totals.setdefault(name, None)
            elif (before := totals.get(name)) is None:
                totals[name] = value
            else:
                totals[name] = _COMBINE[total.function](before, value)


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of at most SLICE rows, small ones joined: their size is the warehouse's choice."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for whole in batches:
        for start in range(0, whole.num_rows, SLICE):
            batch = whole.slice(start, SLICE)
            if held and rows + batch.num_rows > SLICE:
                yield pa.concat_batches(held) if held[1:] else held[0]
                held, rows = [], 0
            held.append(batch)
            rows += batch.num_rows
    if held:
        yield pa.concat_batches(held)


_WIDE: Final = Context(prec=76)
"""Python's own context would round a sum to 28 digits."""

_EXACT: Final = Context(prec=38, traps=[Inexact, InvalidOperation])
_COMBINE: Final[Mapping[str, Callable[[Any, Any], object]]] = {"sum": _WIDE.add, "min": min, "max": max}


def _exact_sum(values: pl.Series) -> object:
    """The sum of whole numbers or decimals, some of them not null, which in their own type may wrap or overflow."""
    if values.dtype == pl.Int64:
        return values.cast(pl.Int128).sum()
    assert isinstance(values.dtype, pl.Decimal)
    low, high = (Decimal(str(bound)) for bound in (values.min(), values.max()))
    if _WIDE.multiply(max(abs(low), abs(high)), Decimal(len(values))) < Decimal(10) ** (DIGITS - values.dtype.scale):
        return values.sum()
    return pc.sum(pc.cast(values.to_arrow(), pa.decimal256(76, values.dtype.scale))).as_py()


_TOTALS: Final[Mapping[str, Callable[[pl.Series], object]]] = {
    "sum": _exact_sum,
    "min": pl.Series.min,
    "max": pl.Series.max,
}


def _at_scale(column: Column) -> pl.Expr:
    return pl.col(column.name).cast(pl.Decimal(38, column.scale or 0))


def _exactly(value: Decimal, scale: int) -> Decimal | None:
    """The value at the scale in 38 digits; None where that would change it."""
    try:
        return value.quantize(Decimal(1).scaleb(-scale), context=_EXACT)
    except (Inexact, InvalidOperation):
        return None


def _text_rules(column: Column, dataset: Dataset) -> Iterator[_Rule]:
    """What the contract refuses in texts; in a key, escaping NUL could make two rows one, so it is refused there."""
    if column.type != "STRING":
        return
    text = pl.col(column.name)
    if dataset.formulas == "refuse":
        yield _Rule(column.name, "formula", text.str.contains(FORMULA))
    if dataset.nul == "refuse" or (dataset.nul == "escape" and column.name in dataset.key):
        yield _Rule(column.name, "nul", text.str.contains("\0", literal=True), _is_free_of_nul)


def _is_free_of_nul(texts: pa.Array) -> bool:
    """Whether no text holds the character NUL: all of them are searched as one."""
    _, offsets, content = texts.buffers()
    if content is None or not len(texts):
        return True
    places = memoryview(offsets).cast("q" if pa.types.is_large_string(texts.type) else "i")
    first, last = places[texts.offset], places[texts.offset + len(texts)]
    return b"\0" not in content.slice(first, last - first).to_pybytes()


def _escapes(column: Column, dataset: Dataset) -> Iterator[pl.Expr]:
    """What the contract escapes in texts, before any rule is applied to them."""
    text = pl.col(column.name)
    if column.type != "STRING" or "escape" not in (dataset.formulas, dataset.nul):
        return
    if dataset.nul == "escape" and column.name not in dataset.key:
        text = text.str.replace_all("\0", NUL_SIGN, literal=True)
    if dataset.formulas == "escape":
        text = pl.when(text.str.contains(ESCAPED)).then(pl.lit("'") + text).otherwise(text)
    yield text.alias(column.name)


def _rules(column: Column) -> Iterator[_Rule]:
    name, value = column.name, pl.col(column.name)
    if column.required:
        yield _Rule(name, "required", value.is_null())
    if column.pattern is not None:
        yield _Rule(name, "pattern", ~value.str.contains(column.pattern))
    if column.min_length is not None:
        yield _Rule(name, "minLength", value.str.len_chars() < column.min_length, _at_least(column.min_length))
    if column.max_length is not None:
        yield _Rule(name, "maxLength", value.str.len_chars() > column.max_length, _at_most(column.max_length))
    if column.allowed is not None:
        yield _Rule(name, "enum", ~value.is_in(list(column.allowed)))
    if column.type in LARGEST_SCALE and column.precision is not None and column.precision < DIGITS:
        limit = pl.lit(Decimal(10) ** (column.precision - (column.scale or 0)))
        yield _Rule(name, "precision", value.abs() >= limit)
    if column.minimum is not None:
        yield _Rule(name, "minimum", value < column.minimum)
    if column.maximum is not None:
        yield _Rule(name, "maximum", value > column.maximum)


def _at_least(characters: int) -> Callable[[pa.Array], bool]:
    """Whether all texts are surely as long as that: a character of UTF-8 has at most four bytes."""
    return lambda texts: (pc.min(pc.binary_length(texts)).as_py() or 0) > (characters - 1) * 4


def _at_most(characters: int) -> Callable[[pa.Array], bool]:
    """Whether no text is longer than that: a character of UTF-8 has at least one byte."""
    return lambda texts: (pc.max(pc.binary_length(texts)).as_py() or 0) <= characters
