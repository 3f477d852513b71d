"""What a contract says, as the pipeline uses it: datasets, their columns and rules, their files' names; pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from pipeline.contracts import file_names
from pipeline.contracts.promise import Promise
from pipeline.window import Delivery, Window, stamp

TYPES: Final = ("STRING", "INT64", "NUMERIC", "BIGNUMERIC", "BOOL", "DATE", "TIMESTAMP", "JSON")
LARGEST_SCALE: Final[Mapping[str, int]] = {"NUMERIC": 9, "BIGNUMERIC": 38}
NUMBERS: Final = ("INT64", *LARGEST_SCALE)

Reads = Literal["name", "position"] | None
"""How the partner finds a column in the file; None: it is not known."""

Policy = Literal["pass", "refuse", "escape"]
"""What becomes of a text that many a reader cannot take: sent as it is, a breach of the contract, or made harmless."""

ESCAPED: Final = r"^[=+\-@\t\r']"
"""Where formulas are escaped, what gets an apostrophe in front; what has one already too, so that it can be taken away
again."""

Type = Literal["STRING", "INT64", "NUMERIC", "BIGNUMERIC", "BOOL", "DATE", "TIMESTAMP", "JSON"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the file: `name` in its header, `source` in the table, and the rules for its values.

    `scale` is the number of decimal places of a NUMERIC or BIGNUMERIC and `precision` its digits in all, else None.
    `unit`, `classification` and `description` change nothing in the file: they say what its values mean.
    """

    name: str
    source: str
    type: Type
    scale: int | None = None
    required: bool = False
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    allowed: tuple[str, ...] | None = None
    precision: int | None = None
    unit: str | None = None
    classification: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """A control total: `sum`, `min` or `max` of a column, under the name that records carry it by."""

    function: Literal["sum", "min", "max"]
    column: str

    def __str__(self) -> str:
        return f"{self.function}({self.column})"


class Unshared(NamedTuple):
    """A column of the table that no file has."""

    name: str
    type: str


class Place(NamedTuple):
    """Where a file of ours belongs: the start of its window, its revision and its part."""

    start: datetime
    revision: int
    part: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A contract as the pipeline uses it, and its text. Column names in `key`, `change` and `totals` are the file's.

    Two contracts of one dataset may be deployed for an agreed time: one of them has a `series_name`, under which its
    deliveries are asked for and recorded. Hours before `starts` and from `ends` on are not sent under the contract.
    `unshared` are the columns of the table that no file has. `formulas` is about texts that a spreadsheet would carry
    out, `nul` about the character NUL, which most databases cannot load.
    """

    name: str
    version: str
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    change: str
    filter: str | None
    watermark: str | None
    totals: tuple[Total, ...]
    file_name: str
    empty_file: bool
    partner_reads: Reads = None
    formulas: Policy = "pass"
    nul: Policy = "refuse"
    series_name: str | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    promise: Promise | None = None
    unshared: tuple[Unshared, ...] = ()
    text: str = field(default="", repr=False)

    @property
    def series(self) -> str:
        """The name that messages, records and certificates have for the deliveries under this contract."""
        return self.series_name or self.name

    def covers(self, window: Window) -> bool:
        """Whether the hours of the window are sent under this contract."""
        return (self.starts is None or window.start >= self.starts) and (self.ends is None or window.end <= self.ends)

    @property
    def sha256(self) -> str:
        """SHA-256 of the contract's text, which with the version says which contract it is."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def key_in_file(self, given: Sequence[str]) -> tuple[str, ...]:
        """The texts that the key columns have in the file, of those that they have at the source."""
        escapes = [self.formulas == "escape" and self.column(name).type == "STRING" for name in self.key]
        return tuple(
            f"'{text}" if escape and re.match(ESCAPED, text) else text
            for text, escape in zip(given, escapes, strict=True)
        )

    def file_for(self, delivery: Delivery, part: int, parts: int) -> str:
        """The partner's name of this part's file, before `.pgp` is added; no two deliveries or parts share one."""
        return self.file_name.format(
            dataset=self.name,
            start=stamp(delivery.slot.window.start),
            end=stamp(delivery.slot.window.end),
            revision=delivery.revision,
            part=part,
            parts=parts,
            version=self.version,
        )

    def recognise(self, name: str) -> Place | None:
        """Where the file of ours whose name stands in `name` belongs, if one does."""
        match = self.match(name)
        return None if match is None else _place(match)

    def match(self, name: str) -> re.Match[str] | None:
        """Where a name of ours stands in `name`, in whatever case the partner's system writes it."""
        return re.search(file_names.pattern(self).removesuffix(r"\.csv"), name, re.IGNORECASE)


def recognised(name: str, contracts: Iterable[Dataset]) -> tuple[Dataset, Place] | None:
    """The contract whose file is named in `name`, and where that file belongs; None where no file is.

    The longest name counts: `payments_...` is the end of `repayments_...`.
    """
    known = [
        (len(match[0]), contract, place)
        for contract in contracts
        if (match := contract.match(name)) is not None and (place := _place(match)) is not None
    ]
    if not known:
        return None
    _, contract, place = max(known, key=lambda one: one[0])
    return contract, place


def _place(match: re.Match[str]) -> Place | None:
    try:
        start = datetime.strptime(match["start"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:  # digits, but no time
        return None
    return Place(start, int(match["revision"]), int(match["part"]))
