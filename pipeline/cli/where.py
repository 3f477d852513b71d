"""`where`: in which files a row was sent; for people who answer erasure and dispute requests."""

from __future__ import annotations

import dataclasses
import re
import sys
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.session import ATTENTION, OK, Session, as_instant, operator, plain
from pipeline.states import STATES

if TYPE_CHECKING:
    from pipeline.evidence.search import Searched, Sighting
    from pipeline.run import Run
    from pipeline.window import Window

A_DAY: Final = 86_400.0
"""Seconds that a search may take: it reads every file of its hours."""


@click.command(short_help="In which files a row was sent.")
@click.argument("dataset")
@click.argument("key", nargs=-1, required=True)
@click.option("--start", metavar="TIME", help="First hour; without it, the first that was ever planned.")
@click.option("--end", metavar="TIME", help="Where the range ends; without it, now.")
@operator
def command(session: Session, dataset: str, key: tuple[str, ...], start: str | None, end: str | None) -> int:
    """Say in which files the row of DATASET with this KEY was sent: when, in which revision and part, certified how.

    Every archived file of the range is read, so name the range where you know it. A key of several columns is given as
    several words, in the order of the contract; a decimal or a time as the file has it. With - in its place it is read
    from stdin, a line for each column, and stands in no history. It is written to no log.

    Exit code 0 where all of the range was searched, found or not; 1 where a file is gone from the archive, altered or
    cannot be read, so that the row may stand in it: each is named.

    \b
    Examples:
      python -m pipeline where payments P-123 --start 2026-11-01 --end 2026-12-01
      python -m pipeline where identity C-7 P-9 --start 2026-11-23T13:00:00Z --json
      python -m pipeline where payments - < key.txt
    """
    from pipeline.cli.progress import bar
    from pipeline.evidence.search import search

    session.needed = ("google_cloud_project", "records_bucket", "archive_bucket")
    if (contract := session.deployment.datasets.get(dataset)) is None:
        known = ", ".join(sorted(session.deployment.datasets))
        raise click.UsageError(f"There is no dataset {dataset}; there are {known}.")
    texts = tuple(re.split(r"\r?\n", sys.stdin.read().rstrip("\r\n"))) if key == ("-",) else key
    if len(texts) != len(contract.key):
        raise click.UsageError(f"The key of {dataset} is {', '.join(contract.key)}; {len(texts)} values were given.")
    if not all(texts):
        raise click.UsageError("A value of a key is never empty.")
    run = session.run(seconds=A_DAY)
    window = _window(dataset, as_instant("--start", start), as_instant("--end", end), run)
    if window is None:
        raise click.UsageError(f"No hour of {dataset} was ever planned; there is nothing to search.")
    with bar(session, "files") as observe:
        searched = search(dataset, texts, window, run, observe)
    if session.as_json:
        session.write({**dataclasses.asdict(searched), "complete": not searched.unsearched})
    else:
        _show(session, searched, run)
    if not searched.sightings and (doubt := _doubt(texts)) is not None:
        session.complain_of(doubt)
    return ATTENTION if searched.unsearched else OK


def _doubt(texts: tuple[str, ...]) -> str | None:
    """Why a key that stands nowhere may be another than was meant, though it looks the same."""
    if any(text != text.strip() for text in texts):
        return "The key begins or ends with white space, and was searched for with it."
    if any(unicodedata.normalize(form, text) != text for text in texts for form in ("NFC", "NFD")):
        return "The key has letters with marks, which Unicode writes in two ways; only the one given was searched for."
    return None


def _window(dataset: str, start: datetime | None, end: datetime | None, run: Run) -> Window | None:
    from pipeline.window import Window

    first = start or run.records.first_planned(dataset)
    if first is None:
        return None
    try:
        return Window(first, end or Window.last_full_hour_before(run.now()).end)
    except ValueError as error:
        raise click.UsageError(f"--start, --end: {error}.") from None


def _show(session: Session, searched: Searched, run: Run) -> None:
    for sighting in searched.sightings:
        _show_sighting(session, sighting, run.archive.name)
    for missed in searched.unsearched:
        place = f"{missed.dataset} {missed.window.start:%Y-%m-%d %H:%M} r{missed.revision} part {missed.part}"
        session.say(f"[red]not searched[/] {place}: {plain(missed.reason)}")
    count = len(searched.sightings)
    stands = f"in {count} file{'' if count == 1 else 's'}" if count else "in none of them"
    window = f"{searched.window.start:%Y-%m-%d %H:%M} to {searched.window.end:%Y-%m-%d %H:%M}"
    session.say(f"{searched.files:,} files, {searched.bytes:,} bytes, {window}: the row stands {stands}.")
    if searched.unrecorded:
        session.say(
            f"{searched.unrecorded:,} of {len(searched.window):,} hours have no record: nothing was planned, or what "
            "was is not kept any more."
        )
    if searched.unsearched:
        session.say(f"{len(searched.unsearched):,} files could not be searched; the row may stand in them too.")


def _show_sighting(session: Session, sighting: Sighting, archive: str) -> None:
    hour = f"{sighting.dataset} {sighting.window.start:%Y-%m-%d %H:%M} r{sighting.revision}"
    part = f" part {sighting.part} of {sighting.parts}" if sighting.parts > 1 else ""
    rows = f", {sighting.rows} rows" if sighting.rows > 1 else ""
    session.say(f"[bold]{hour}{part}[/]: {plain(sighting.file_name)}{rows}")
    times = ", ".join(f"{at:%Y-%m-%d %H:%M:%S}" for at in sighting.delivered)
    session.say(f"  at the partner {times}" if times else "  never sent; it was sealed and is archived")
    if sighting.verdict is not None:
        colour = "red" if STATES[sighting.verdict].needs_attention else "green"
        session.say(f"  [{colour}]{sighting.verdict}[/] {sighting.certified:%Y-%m-%d %H:%M:%S}")
    else:
        session.say("  no certificate yet")
    session.say(f"  [dim]gs://{plain(archive)}/{plain(sighting.archived)}[/]")
