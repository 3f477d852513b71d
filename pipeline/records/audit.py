"""Verify a copy of the records bucket by its ledger: pure, without a network, for who does not trust our word."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol

from pydantic import TypeAdapter

from pipeline.errors import RecordDamaged
from pipeline.records.ledger import PREFIX, SIGNATURE, LedgerPage, floor, hour_of, parsed, path_of
from pipeline.window import HOUR, rfc3339

TOLERANCE: Final = timedelta(minutes=10)
"""By how much a host's clock, which dates a record, may differ from the store's."""


_TIME: Final = TypeAdapter(datetime)
"""Every form of a time that a record is read with."""


class IsSigned(Protocol):
    """Whether content and its detached signature belong together, by one of our keys."""

    def __call__(self, content: bytes, signature: bytes, /) -> bool:
        """Judge them."""


Kind = Literal[
    "page missing",
    "page unreadable",
    "signature missing",
    "signature bad",
    "chain broken",
    "record missing",
    "record altered",
    "record added",
    "record created twice",
    "record dated otherwise",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction between the ledger and a copy of the bucket."""

    kind: Kind
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a walk through the ledger saw. `newer` objects are later than the last page, so that nothing is known.

    `until` is the end of the last page's hour; None without a page.
    """

    pages: int
    records: int
    newer: int
    until: datetime | None
    findings: tuple[Finding, ...]


def verify(
    copy: Mapping[str, bytes],
    is_signed: IsSigned,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Verified:
    """Walk the ledger of a copy of the records bucket, from `start` to `end` (None: all of it), without a network.

    `copy` gives each object's content by its name; `is_signed` whether a page and its detached signature belong to
    one of our keys.
    """
    hours = sorted(hour for name in copy if (hour := hour_of(name)) is not None and not name.endswith(SIGNATURE))
    first = floor(start) if start else min(hours, default=None)
    last = floor(end) - HOUR if end else max(hours, default=None)
    findings: list[Finding] = []
    seen: dict[str, datetime] = {}
    pages = 0
    if first is not None and last is not None:
        previous = _digest_of(copy, first - HOUR)
        hour = first
        while hour <= last:
            page = _walked(copy, hour, previous, is_signed, hour == min(hours, default=None), findings)
            previous = _digest_of(copy, hour)
            if page is not None:
                pages += 1
                _compare(copy, page, seen, findings)
            hour += HOUR
    newer = _unlisted(copy, seen, hours, last, whole=start is None and end is None, findings=findings)
    return Verified(pages, len(seen), newer, max(hours) + HOUR if hours else None, tuple(findings))


def _digest_of(copy: Mapping[str, bytes], hour: datetime) -> str | None:
    content = copy.get(path_of(hour))
    return None if content is None else hashlib.sha256(content).hexdigest()


def _walked(
    copy: Mapping[str, bytes],
    hour: datetime,
    previous: str | None,
    is_signed: IsSigned,
    is_first: bool,
    findings: list[Finding],
) -> LedgerPage | None:
    """The page of an hour, with what is wrong with it as a page."""
    path = path_of(hour)
    content, signature = copy.get(path), copy.get(path + SIGNATURE)
    if content is None:
        findings.append(Finding("page missing", path, f"There is no page for the hour from {rfc3339(hour)}."))
        return None
    if signature is None:
        findings.append(Finding("signature missing", path, "Nothing vouches for the page."))
    elif not is_signed(content, signature):
        findings.append(Finding("signature bad", path, "The page is not what one of the given keys signed."))
    try:
        page = parsed(content, path)
    except RecordDamaged as error:
        findings.append(Finding("page unreadable", path, error.message))
        return None
    if page.hour != hour or (page.previous != previous and not (is_first and page.previous is None)):
        detail = f"It follows a page with SHA-256 {page.previous}; the page before has {previous}."
        findings.append(Finding("chain broken", path, detail))
    return page


def _compare(copy: Mapping[str, bytes], page: LedgerPage, seen: dict[str, datetime], findings: list[Finding]) -> None:
    """The records that a page lists, against the copy."""
    for name, digest in page.records.items():
        content = copy.get(name)
        where = f"listed in the hour from {rfc3339(page.hour)}"
        if name in seen:
            detail = f"It is {where} and in that from {rfc3339(seen[name])}: deleted and created again."
            findings.append(Finding("record created twice", name, detail))
        seen.setdefault(name, page.hour)
        if content is None:
            findings.append(Finding("record missing", name, f"It is {where}, and not in the copy."))
        elif hashlib.sha256(content).hexdigest() != digest:
            findings.append(Finding("record altered", name, f"It is {where} with SHA-256 {digest}."))
        elif (dated := _dated(content)) is not None and not (page.hour - TOLERANCE <= dated < page.end + TOLERANCE):
            detail = f"It says that it was made at {rfc3339(dated)}, and is {where}."
            findings.append(Finding("record dated otherwise", name, detail))


def _unlisted(
    copy: Mapping[str, bytes],
    seen: Mapping[str, datetime],
    hours: list[datetime],
    last: datetime | None,
    *,
    whole: bool,
    findings: list[Finding],
) -> int:
    """Judge the objects that no page of the range lists; how many of them are later than the last page.

    What carries no date of its own is no record: it is counted as later, since nothing rests on it.
    """
    newer = 0
    listed = seen if whole else {**seen, **{name: hour for hour in hours for name in _names(copy, hour)}}
    covered = max(hours, default=None)
    for name in sorted(set(copy) - set(listed)):
        if name.startswith(PREFIX):
            continue
        dated = _dated(copy[name])
        if covered is None or dated is None or dated >= covered + HOUR - TOLERANCE:
            newer += 1
        else:
            findings.append(Finding("record added", name, "No page lists it, and it is not later than the last one."))
    return newer


def _names(copy: Mapping[str, bytes], hour: datetime) -> Iterable[str]:
    try:
        return parsed(copy[path_of(hour)], path_of(hour)).records
    except (KeyError, RecordDamaged):
        return ()


def _dated(content: bytes) -> datetime | None:
    """When a record says that it was made; None for what is no record."""
    try:
        dated = _TIME.validate_python(json.loads(content)["record"]["created"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return dated if dated.tzinfo is not None else dated.replace(tzinfo=UTC)
