"""One column of a contract: ODCS -> Column, every mistake gathered with its place.

What the standard has no word for stands in the column's `customProperties`: `shared: false` where the warehouse has the
column and the partner must not get it, `unit` for what its values are counted in.
"""

from __future__ import annotations

import re
from typing import Any, Final

from open_data_contract_standard.model import SchemaObject, SchemaProperty

from pipeline.contracts import type_parameters
from pipeline.contracts.dataset import LARGEST_SCALE, NUMBERS, TYPES, Column

IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
COLUMN_PROPERTIES: Final = ("shared", "unit")
OPTIONS: Final = ("pattern", "minLength", "maxLength", "minimum", "maximum")


class ColumnReader:
    """Gathers what is wrong with a contract instead of stopping at the first mistake."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[str] = []

    def wrong(self, place: str, what: str) -> None:
        self.problems.append(f"{self.where}: {place}: {what}")

    def own_properties(self, entry: SchemaProperty, place: str) -> None:
        """A misspelt `shared` would disclose the column, so nothing unknown may stand there."""
        own = custom(entry)
        for stranger in sorted(set(own) - set(COLUMN_PROPERTIES)):
            self.wrong(place, f"{stranger} is not one of {', '.join(COLUMN_PROPERTIES)}")
        if not isinstance(own.get("shared", True), bool):
            self.wrong(place, f"shared: {own['shared']!r} must be true or false")

    def identifier(self, value: str | None, place: str) -> str:
        if not IDENTIFIER.fullmatch(value or ""):
            self.wrong(place, f"{value!r} is not a name of letters, digits and underscores")
        return value or ""

    def column(self, entry: SchemaProperty, place: str) -> Column | None:
        name = self.identifier(entry.name, place)
        source = self.identifier(entry.physicalName or entry.name, f"{place}.physicalName")
        match = re.fullmatch(r"(\w+)(?:\((\d+)(?:, *(\d+))?\))?", entry.physicalType or "")
        type_ = (match[1].upper() if match else "").replace("INTEGER", "INT64").replace("BOOLEAN", "BOOL")
        if match is None or type_ not in TYPES:
            hint = "; a float has no exact decimal form, use NUMERIC(precision, scale)" if "FLOAT" in type_ else ""
            self.wrong(f"{place}.physicalType", f"{entry.physicalType!r} is not one of {', '.join(TYPES)}{hint}")
            return None
        options = entry.logicalTypeOptions or {}
        for stranger in sorted(set(options) - set(OPTIONS)):
            self.wrong(f"{place}.logicalTypeOptions", f"{stranger} is not one of {', '.join(OPTIONS)}")
        pattern = self.pattern(options.get("pattern"), f"{place}.pattern")
        numbers = {
            option: self.number(options.get(option), f"{place}.logicalTypeOptions.{option}") for option in OPTIONS[1:]
        }
        column = Column(
            name=name,
            source=source,
            type=type_,  # type: ignore[arg-type]  # one of TYPES, checked above
            scale=self.scale(type_, match[2], match[3], f"{place}.physicalType"),
            precision=min(int(match[2] or 38), 38) if type_ in LARGEST_SCALE else None,
            required=bool(entry.required),
            pattern=pattern,
            min_length=numbers["minLength"],
            max_length=numbers["maxLength"] or (int(match[2]) if type_ == "STRING" and match[2] else None),
            minimum=numbers["minimum"],
            maximum=numbers["maximum"],
            allowed=self.allowed(entry, place),
            unit=_text(custom(entry).get("unit")),
            classification=entry.classification,
            description=entry.description,
        )
        textual = column.pattern or column.min_length or column.max_length or column.allowed
        if textual and column.type != "STRING":
            self.wrong(place, f"pattern, lengths and enum go with STRING, not with {column.type}")
        if (column.minimum is not None or column.maximum is not None) and type_ not in NUMBERS:
            self.wrong(place, f"minimum and maximum go with numbers, not with {column.type}")
        return column

    def scale(self, type_: str, precision: str | None, scale: str | None, place: str) -> int | None:
        if (what := type_parameters.problem(type_, precision, scale)) is not None:
            self.wrong(place, what)
        if type_ not in LARGEST_SCALE:
            return None
        return LARGEST_SCALE[type_] if precision is None else int(scale or 0)

    def pattern(self, value: object, place: str) -> str | None:
        if value is None:
            return None
        import polars  # here alone: reading a contract should not cost the import where there is no pattern

        try:
            polars.Series([""]).str.contains(str(value), strict=True)
        except polars.exceptions.ComputeError:
            self.wrong(place, f"{value!r} is not a regular expression that the checks can run (no look-around)")
        return str(value)

    def number(self, value: object, place: str) -> int | None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            self.wrong(place, f"{value!r} is not a whole number")
            return None
        return value

    def allowed(self, entry: SchemaProperty, place: str) -> tuple[str, ...] | None:
        if entry.enum is None:
            return None
        values = tuple(str(item.value) for item in entry.enum if isinstance(item.value, str))
        if len(values) != len(entry.enum) or not values:
            self.wrong(f"{place}.enum", "must be a list of values that are text; quote those that YAML reads otherwise")
        return values


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def custom(entry: SchemaObject | SchemaProperty) -> dict[str, Any]:
    return {str(item.property): item.value for item in entry.customProperties or []}
