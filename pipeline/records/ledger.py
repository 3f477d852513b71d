"""The ledger: for every hour a signed page of what was created in it, chained to the page before.

A record's own checksum has no key, so who may write the bucket could rewrite history. A page lists the name and SHA-256
of every object that was created in one hour by the store's clock, and the SHA-256 of the page before; it is signed
with our key and created once. Whoever alters, deletes, adds or back-dates a record afterwards contradicts a page, and
whoever changes a page breaks a signature or the chain.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.clients.storage import Bucket
from pipeline.errors import ArchiveUnavailable, RecordDamaged
from pipeline.streams import background
from pipeline.window import HOUR

PREFIX: Final = "ledger/"
SIGNATURE: Final = ".asc"
SETTLED: Final = timedelta(minutes=5)
"""How long after an hour's end its page may be made: this host's clock may be ahead of the store's by so much."""

MOST_PAGES: Final = 48
"""Pages of one run. After an outage, or on a bucket that had no ledger, the next runs go on."""

READERS: Final = 16
Sign = Callable[[bytes], bytes]
"""Gives a detached signature of the bytes."""


class LedgerPage(BaseModel):
    """One hour of the ledger. `previous` is the SHA-256 of the page before; None for the first one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hour: datetime
    previous: str | None
    records: Mapping[str, str]

    @property
    def end(self) -> datetime:
        """Where its hour ends."""
        return self.hour + HOUR

    def written(self) -> bytes:
        """The page as it is signed and stored: the same bytes whoever makes it."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True).encode()

    @property
    def sha256(self) -> str:
        """SHA-256 of the page as it is written."""
        return hashlib.sha256(self.written()).hexdigest()


def extend(bucket: Bucket, now: datetime, sign: Sign, most: int = MOST_PAGES) -> list[LedgerPage]:
    """Make and sign the pages that are due, `most` of them. Where the newest is there and signed, all before it are.

    Two runs at once make the same page; the signature of the first is kept. A page without a signature is made once
    more and compared: what stands there may have been put there by somebody else, and is not signed unless it is the
    same. Raises ArchiveUnavailable, RecordDamaged (it is not, or a page cannot be read), OutOfTime, and whatever `sign`
    raises.
    """
    due = floor(now - SETTLED) - HOUR
    if bucket.stat(path_of(due) + SIGNATURE) is not None:
        return []
    hours: set[datetime] = set()
    signed: set[datetime] = set()
    created: list[tuple[datetime, str]] = []
    for name, at in bucket.creations(""):
        if (hour := hour_of(name)) is None:
            created.append((at, name))
        elif name.endswith(SIGNATURE):
            signed.add(hour)
        else:
            hours.add(hour)
    if not hours and not created:
        return []
    last = max((hour for hour in hours & signed if hour <= due), default=None)
    previous = None if last is None else hashlib.sha256(_content(bucket, last)).hexdigest()
    hour = last + HOUR if last is not None else floor(min(created)[0])
    pages: list[LedgerPage] = []
    while hour <= due and len(pages) < most:
        names = sorted(name for at, name in created if hour <= at < hour + HOUR)
        page = _kept(bucket, LedgerPage(hour=hour, previous=previous, records=_digests(bucket, names)), sign)
        previous = page.sha256
        pages.append(page)
        hour += HOUR
    return pages


def _digests(bucket: Bucket, names: list[str]) -> dict[str, str]:
    def digest(name: str) -> str:
        content = bucket.read(name)
        if content is None:
            raise ArchiveUnavailable(f"{name} was listed and is gone; the ledger's page waits for it.")
        return hashlib.sha256(content).hexdigest()

    with background.pool("ledger", READERS) as readers:
        return dict(zip(names, readers.map(digest, names), strict=True))


def _kept(bucket: Bucket, page: LedgerPage, sign: Sign) -> LedgerPage:
    """The page, created and signed by this run or by one that was first. Raises RecordDamaged where another stands."""
    path, content = path_of(page.hour), page.written()
    signature = sign(content)  # first, so that a key which cannot sign leaves no page without a signature
    if not bucket.create(path, content) and _content(bucket, page.hour) != content:
        raise RecordDamaged(
            f"The ledger's page {path} is not what the records of its hour make, so it is not signed. Find out who "
            "wrote it (data access log), keep a copy, and delete it; the next certify makes it anew."
        )
    bucket.create(path + SIGNATURE, signature, "application/pgp-signature")
    return page


def _content(bucket: Bucket, hour: datetime) -> bytes:
    content = bucket.read(path_of(hour))
    if content is None:
        raise ArchiveUnavailable(f"The ledger's page {path_of(hour)} was listed and is gone.")
    return content


def parsed(content: bytes, path: str) -> LedgerPage:
    """The page that stands at a path. Raises RecordDamaged."""
    try:
        return LedgerPage(**json.loads(content))
    except (ValueError, TypeError, ValidationError):
        raise RecordDamaged(f"The ledger's page {path} cannot be read.") from None


def path_of(hour: datetime) -> str:
    """Where the page of an hour stands in the bucket."""
    return f"{PREFIX}{hour:%Y/%m/%d/%H}.json"


def hour_of(name: str) -> datetime | None:
    """The hour of a page or of its signature; None for any other object."""
    match = re.fullmatch(rf"{PREFIX}(\d{{4}}/\d\d/\d\d/\d\d)\.json(?:{re.escape(SIGNATURE)})?", name)
    with suppress(ValueError):  # digits, but no time
        return datetime.strptime(match[1], "%Y/%m/%d/%H").replace(tzinfo=UTC) if match else None
    return None


def floor(instant: datetime) -> datetime:
    """The hour that an instant belongs to."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
