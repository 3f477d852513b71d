"""What the warehouse counts, and how its values are written in records; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from pipeline.window import rfc3339


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far the dataset is complete, by the warehouse's watermark, and the warehouse's clock at that moment."""

    complete_until: datetime | None
    snapshot: datetime


@dataclass(frozen=True, slots=True)
class HourCount:
    """Rows of one hour as they are now, and the sum of their hashes."""

    rows: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class HourTotals:
    """Rows of one hour as they are now, and the sum of their times of change in microseconds since 1970."""

    rows: int
    change_total: str


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
    """

    part: int
    rows: int
    keys: int
    bytes: int
    fingerprint: str
    totals: Mapping[str, str | None]

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
