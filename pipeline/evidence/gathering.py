"""Gather a period's records, and walk the ledger over the hours in which they were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.clients.storage import Bucket
from pipeline.contracts.promise import Promise
from pipeline.errors import RecordDamaged
from pipeline.pgp.signature import verifier
from pipeline.records.audit import Verified, verify
from pipeline.records.envelope import parsed
from pipeline.records.folder import Entry
from pipeline.records.ledger import SIGNATURE, floor, hour_of, path_of
from pipeline.records.schema import Returned
from pipeline.records.snapshot import Snapshot, of_contracts, of_deliveries, of_returns
from pipeline.records.store import Records
from pipeline.run import Run
from pipeline.status.grid import Cell, cell
from pipeline.status.history import history
from pipeline.window import HOUR, Window

Listed = Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Story:
    """One hour of one dataset: where it stands, and every record of it in the order in which they came to be."""

    cell: Cell
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the ledger says of the hours `[start, end)` in which the period's records were made.

    `names` are its pages and their signatures, and the page before them.
    """

    start: datetime
    end: datetime
    names: tuple[str, ...]
    verified: Verified


@dataclass(frozen=True, slots=True)
class Gathered:
    """A period as its records tell it; `contents` are the objects that are packed, by name, just as they are stored.

    `unreadable` says of returned files' records why; `proof` is None where no page of the ledger covers the period.
    """

    window: Window
    promises: Mapping[str, Promise | None]
    stories: tuple[Story, ...]
    returned: tuple[Returned, ...]
    unreadable: tuple[str, ...]
    proof: Proof | None
    contents: Mapping[str, bytes]


def gather(
    datasets: Sequence[str], window: Window, public_keys: list[bytes], run: Run, observe: Callable[[int, int], None]
) -> Gathered:
    """Read what is recorded of the datasets' hours, and verify it by the ledger with our public keys.

    `observe` takes how many more objects were read, and how many there are in all. Raises ArchiveUnavailable,
    KeyUnusable (a file that holds no key), OutOfTime.
    """
    bucket = run.bucket(run.settings.records_bucket)
    listed = dict(bucket.creations(""))
    since = {name: at for name, at in listed.items() if at >= window.start}
    returned, unreadable = _returned(bucket, {name: since[name] for name in of_returns(since)}, datasets, window)
    own = {name: listed[name] for name in (*of_deliveries(listed, datasets, window), *returned, *unreadable)}
    proven = _hours(listed, window.start, own)
    pages = _pages(listed, proven) if proven else {}
    kept = {**own, **pages, **{name: listed[name] for name in of_contracts(listed, datasets)}}
    judged = {name: at for name, at in since.items() if proven and _in(proven, at) and hour_of(name) is None}
    wanted = dict(sorted({**kept, **judged}.items()))
    snapshot = Snapshot(bucket, wanted, lambda more: observe(more, len(wanted)))
    proof = None
    if proven is not None:
        copy = {name: snapshot.contents[name] for name in sorted({**judged, **own, **pages})}
        with verifier(public_keys) as is_signed:
            verified = verify(copy, is_signed, start=proven.start, end=proven.end)
        proof = Proof(proven.start, proven.end, tuple(pages), verified)
    return Gathered(
        window,
        {name: run.dataset(name).promise for name in datasets},
        tuple(_stories(datasets, window, Records(snapshot), run)),
        tuple(returned.values()),
        tuple(unreadable.values()),
        proof,
        {name: snapshot.contents[name] for name in sorted(kept)},
    )


def _stories(datasets: Sequence[str], window: Window, records: Records, run: Run) -> list[Story]:
    now, stories = run.now(), []
    for name in datasets:
        first = run.first_hour(name)
        for folder in records.folders(name, window).values():
            stories.append(Story(cell(history(folder, run, first), now), tuple(folder.entries())))
    return stories


def _returned(
    bucket: Bucket, listed: Listed, datasets: Sequence[str], window: Window
) -> tuple[dict[str, Returned], dict[str, str]]:
    """Returned files about an hour of the period, or about none and come in it; and what cannot be read, and why."""
    records: dict[str, Returned] = {}
    unreadable: dict[str, str] = {}
    for name, content in Snapshot(bucket, listed, lambda _: None).contents.items():
        try:
            record = parsed(content, Returned, name)
        except RecordDamaged as error:
            unreadable[name] = error.message
            continue
        ours = record.dataset in datasets if record.start else True
        if ours and _in(window, record.start or record.created):
            records[name] = record
    return dict(sorted(records.items())), unreadable


def _hours(listed: Listed, start: datetime, own: Listed) -> Window | None:
    """The hours of the ledger in which the period's records were made, as far as there are pages; None without any."""
    hours = [hour for name in listed if (hour := hour_of(name)) is not None]
    if not hours:
        return None
    first = max(floor(start), min(hours))
    last = min(floor(max(own.values(), default=start)), max(hours))
    return Window(first, last + HOUR) if first <= last else None


def _pages(listed: Listed, proven: Window) -> dict[str, datetime]:
    """The pages of these hours and the one before, with their signatures, as far as they are there."""
    paths = [path_of(hour) for hour in (proven.start - HOUR, *(hour.start for hour in proven.hours()))]
    return {name: listed[name] for path in paths for name in (path, path + SIGNATURE) if name in listed}


def _in(window: Window, instant: datetime) -> bool:
    return window.start <= instant < window.end
