"""What the warehouse counts, and how its values are written in records; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

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
