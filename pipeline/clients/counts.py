"""What the warehouse counts, and how its values are written in records; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Self

from pipeline.window import rfc3339


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far the dataset is complete, by the warehouse's watermark, and the warehouse's clock at that moment."""

    complete_until: datetime | None
    snapshot: datetime


@dataclass(frozen=True, slots=True)
class HourTotals:
    """Rows of one hour as they are now, and the sum of their times of change in microseconds since 1970."""

    rows: int
    change_total: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """A row that `queries.hour_totals` gives."""
        return cls(row["row_count"], plain(row["change_total"]) or "0")


NOTHING: Final = HourTotals(0, "0")


@dataclass(frozen=True, slots=True)
class HourCount:
    """The same of one hour, and the sum of the hashes of its rows, which is over all columns."""

    totals: HourTotals
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Counted:
    """What one look at a dataset's hours counted, by the start of the hour: an hour is in one of the two at most."""

    totals: Mapping[datetime, HourTotals]
    columns: Mapping[datetime, HourCount]


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How many rows of a window are new, other, or gone from it between two snapshots.

    `moved` of the gone ones are elsewhere in the table: they changed again, or left the subset that is shared.
    """

    added: int
    altered: int
    gone: int
    moved: int


@dataclass(frozen=True, slots=True)
class PartCount:
    """One part of a window as the warehouse counts it at a snapshot, and as the plan records it.

    `bytes` is an estimate of the CSV. `totals` are exact decimals or RFC 3339 times, as text, by the total's name.
    `change_total` is the sum of the times of change in microseconds since 1970; plans of before 0.2.0 have none.
    """

    part: int
    rows: int
    keys: int
    bytes: int
    fingerprint: str
    totals: Mapping[str, str | None]
    change_total: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any], totals: Sequence[object]) -> Self:
        """A row that `queries.totals` gives, with the contract's totals."""
        return cls(
            part=row["part"],
            rows=row["row_count"],
            keys=row["key_count"],
            bytes=row["byte_count"] or 0,
            fingerprint=plain(row["fingerprint"]) or "0",
            totals={str(total): plain(row[f"total_{number}"]) for number, total in enumerate(totals)},
            change_total=plain(row["change_total"]) or "0",
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many rows of a dataset are in quarantine; `since`: the end of the first hour that lacks some, where known."""

    rows: int
    since: datetime | None = None

    def __str__(self) -> str:
        since = f" since the hour that ended at {self.since:%Y-%m-%d %H:%M}" if self.since else ""
        return f"{self.rows:,} {'row waits' if self.rows == 1 else 'rows wait'} in quarantine{since}"

    def as_json(self) -> dict[str, object]:
        """As `--json` shows it."""
        return {"rows": self.rows, "since": rfc3339(self.since) if self.since else None}

    def concerns(self, end: datetime) -> bool:
        """Whether the hour that ends then lacks some of the rows."""
        return self.rows > 0 and (self.since is None or self.since <= end)


def plain(value: object) -> str | None:
    """A warehouse value as records carry it: decimals without exponent or trailing zeros, times as RFC 3339."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)
