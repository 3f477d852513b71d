"""Whether every value that one column may hold in a file is read as the same value by a reader of another; pure.

A value is its text in the file, None the empty field. A reader is strict: a text that is not of its column's type, or
that breaks one of its rules, is refused; a text that it would read as another value (a decimal rounded, leading zeros
lost) counts as refused too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from typing import Final

from pipeline.contracts import patterns
from pipeline.contracts.dataset import NUMBERS, Column
from pipeline.contracts.patterns import Texts

_WIDE: Final = Context(prec=100)
_INT64: Final = (Decimal(-(2**63)), Decimal(2**63 - 1))
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3])(:[0-5][0-9]){2}\.[0-9]{6}Z")
_LENGTHS: Final = {"BOOL": (4, 5), "DATE": (10, 10), "TIMESTAMP": (27, 27)}
_TYPICAL: Final = {
    "BOOL": ("true", "false"),
    "DATE": ("0001-01-01", "2026-11-23", "9999-12-31"),
    "TIMESTAMP": ("2026-11-23T13:00:00.000000Z",),
    "JSON": ('{"a":1}', "[]", "1.50"),
    "STRING": ("a", "", "0", "A", "007", "{", "=1", "\u00e9", "1"),
}


@dataclass(frozen=True, slots=True)
class Surplus:
    """What may be written and is not read. `found`: `text` is an example; else it merely cannot be excluded."""

    text: str | None
    found: bool


def beyond(writer: Column, reader: Column) -> Surplus | None:
    """What the writer's column may hold and the reader's does not read; None where all is read as it was meant."""
    if reader.required and not writer.required:
        return Surplus(None, True)
    for text in _candidates(writer, reader):
        if reads(writer, text) and not reads(reader, text):
            return Surplus(text, True)
    return None if _surely(writer, reader) else Surplus(None, False)


def reads(column: Column, text: str | None) -> bool:
    """Whether a strict reader of the column takes the text of one field for just the value that was meant."""
    if text is None:
        return not column.required
    match column.type:
        case "STRING":
            return _reads_string(column, text)
        case "JSON":
            with suppress(ValueError):
                json.loads(text)
                return True
            return False
        case "BOOL":
            return text in ("true", "false")
        case "DATE":
            return bool(_DATE.fullmatch(text)) and _is_day(text)
        case "TIMESTAMP":
            match = _TIMESTAMP.fullmatch(text)
            return match is not None and _is_day(match[1])
        case _:
            return _reads_number(column, text)


def _is_day(text: str) -> bool:
    with suppress(ValueError):
        date.fromisoformat(text)
        return True
    return False


def _reads_string(column: Column, text: str) -> bool:
    if len(text) < (column.min_length or 0) or (column.max_length is not None and len(text) > column.max_length):
        return False
    if column.allowed is not None and text not in column.allowed:
        return False
    if column.pattern is None:
        return True
    import polars  # the engine that the checks of a delivery search with

    return bool(polars.Series([text]).str.contains(column.pattern)[0])


def _reads_number(column: Column, text: str) -> bool:
    if not _NUMBER.fullmatch(text):
        return False
    low, high, unit = _range(column)
    number = Decimal(text)
    return low <= number <= high and _WIDE.remainder(number, unit) == 0


def _range(column: Column) -> tuple[Decimal, Decimal, Decimal]:
    """Smallest and largest number of the column, and the distance of two numbers that follow each other."""
    unit = Decimal(1).scaleb(-(column.scale or 0))
    if column.type == "INT64":
        low, high = _INT64
    else:
        high = _WIDE.multiply(Decimal(10) ** (column.precision or 38) - 1, unit)
        low = -high
    low = low if column.minimum is None else max(low, Decimal(column.minimum))
    high = high if column.maximum is None else min(high, Decimal(column.maximum))
    return low, high, unit


def _candidates(writer: Column, reader: Column) -> Iterator[str]:
    """Texts that the writer may write and the reader may stumble over; for numbers they decide."""
    if writer.type in NUMBERS:
        low, high, unit = _range(writer)
        for number in (low, high, _WIDE.add(low, unit), _WIDE.subtract(high, unit), Decimal(0), unit, -unit):
            yield format(_WIDE.quantize(number, unit), "f")
        return
    yield from writer.allowed or _TYPICAL[writer.type]
    if writer.type != "STRING" or writer.allowed is not None:
        return
    for length in (writer.min_length or 0, writer.max_length, (reader.max_length or 0) + 1):
        for char in ("a", "A", "0"):
            yield char * min(length or 0, 100_000)
    texts = _texts(writer)
    if (short := patterns.sample(texts)) is not None:
        yield short
    if reader.type == "STRING" and (example := patterns.beyond(texts, _texts(reader))[1]) is not None:
        yield example


def _surely(writer: Column, reader: Column) -> bool:
    """Whether it is proven that every value is read, now that no example of the contrary was found."""
    if reader.type == "STRING":
        return _surely_string(writer, reader)
    if writer.type in NUMBERS and reader.type in NUMBERS:
        return True  # the bounds and their neighbours were tried
    if writer.type == "STRING":
        return writer.allowed is not None
    return writer.type == reader.type or (writer.type in ("BOOL", "INT64") and reader.type == "JSON")


def _surely_string(writer: Column, reader: Column) -> bool:
    if writer.allowed is not None:
        return True  # each was tried
    if reader.allowed is not None:
        return writer.type == "BOOL"
    if writer.type == "STRING":
        return patterns.beyond(_texts(writer), _texts(reader))[0]
    shortest, longest = _lengths(writer)
    fits = (reader.min_length or 0) <= shortest and (
        reader.max_length is None or (longest is not None and longest <= reader.max_length)
    )
    return fits and (reader.pattern is None or writer.type == "BOOL")


def _lengths(column: Column) -> tuple[int, int | None]:
    """Least and most characters of a value that is no STRING."""
    if column.type in NUMBERS:
        low, high, unit = _range(column)
        texts = [format(_WIDE.quantize(number, unit), "f") for number in (low, high)]
        return 1 + (column.scale or 0) + bool(column.scale), max(map(len, texts))
    return _LENGTHS.get(column.type, (1, None))


def _texts(column: Column) -> Texts:
    return Texts(column.pattern, column.min_length or 0, column.max_length)
