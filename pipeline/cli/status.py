"""`status`: the last hours as a grid, one delivery in full, or all of it as one page."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.answers import READING
from pipeline.cli.session import ATTENTION, OK, Session, operator, plain
from pipeline.states import STATES, Colour

if TYPE_CHECKING:
    from pipeline.keys import KeyState
    from pipeline.records.schema import Returned
    from pipeline.records.store import Entry
    from pipeline.run import Run
    from pipeline.status.grid import Cell
    from pipeline.window import Slot

    Grid = dict[datetime, dict[str, Cell]]


TERMINAL: Final[dict[Colour, str]] = {"green": "green", "grey": "dim", "blue": "cyan", "red": "red"}
"""How rich calls the colours of states."""


@click.command(short_help="Where every delivery stands; one delivery in full; a page.")
@click.argument("dataset", required=False)
@click.argument("hour", required=False)
@click.option("--hours", default=48, show_default=True, type=click.IntRange(1, 744), help="How far back.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one self-contained page as well.")
@operator
def command(session: Session, dataset: str | None, hour: str | None, hours: int, html: Path | None) -> int:
    """Show where every dataset stands in each of the last hours: verdict, rows, bytes.

    With DATASET and HOUR, one delivery in full: every record of every revision, and what the partner returned for it.
    Exit code 1 where anything needs attention.

    \b
    Examples:
      python -m pipeline status
      python -m pipeline status --hours 12 --json
      python -m pipeline status --html status.html
      python -m pipeline status payments 2026-11-23T13:00:00Z
    """
    if html is None:
        session.needed = READING
    if dataset is None:
        return _grid(session, hours, html)
    if hour is None or html is not None:
        raise click.UsageError("Name DATASET and HOUR together, and without --html.")
    (slot,) = session.request("certify", hour, None, (dataset,)).slots()
    return _one(session, slot)


def _grid(session: Session, hours: int, html: Path | None) -> int:
    from pipeline.status.grid import grid
    from pipeline.status.history import histories
    from pipeline.window import Window

    run = session.run()
    last = Window.last_full_hour_before(run.now())
    window = Window(last.end - timedelta(hours=hours), last.end)
    names = tuple(sorted(session.deployment.datasets))
    found = grid(histories(names, window, run), run.now())
    cells = [cell for row in found.values() for cell in row.values()]
    if html is not None:
        from pipeline.status.page import Subject, page

        keys, trouble = _keys(session, run)
        subject = Subject(run.settings.google_cloud_project, run.settings.sftp_host, names, {})
        html.write_text(page(subject, found, keys, trouble, run.now()), encoding="utf-8")
    if session.as_json:
        session.write({"window": str(window), "cells": [cell.as_json() for cell in cells]})
    else:
        _show(session, found, names)
    return OK if all(cell.well for cell in cells) else ATTENTION


def _keys(session: Session, run: Run) -> tuple[list[KeyState], str | None]:
    """The keys, or why they could not be looked at: a page that shows the rest is better than none."""
    from pipeline.errors import PipelineError
    from pipeline.keys import look_at_keys

    try:
        return look_at_keys(run), None
    except PipelineError as error:
        return [], error.message


def _show(session: Session, found: Grid, names: tuple[str, ...]) -> None:
    from rich.table import Table

    from pipeline.status.grid import troubles

    table = Table("hour (UTC)", *names)
    for start, row in found.items():
        table.add_row(f"{start:%Y-%m-%d %H:%M}", *(_shown(row[name]) for name in names))
    session.console.print(table)
    for one in troubles(found):
        hours = f"{len(one.window)} hours from " if len(one.window) > 1 else ""
        told = plain("; ".join(one.problems) or "see the delivery in full")
        session.say(f"{one.dataset} {hours}{one.window.start:%Y-%m-%d %H:%M} [red]{one.state}[/]: {told}")


def _shown(cell: Cell) -> str:
    colour = TERMINAL[STATES[cell.state].colour]
    revision = f" r{cell.revision}" if cell.revision > 1 else ""
    figures = [f"{cell.rows:,} rows"] if cell.rows else []
    figures += [f"{cell.bytes:,} B"] if cell.bytes else []
    return f"[{colour}]{cell.state}[/]{revision} [dim]{', '.join(figures)}[/]".strip()


def _one(session: Session, slot: Slot) -> int:
    from pipeline.status.grid import cell
    from pipeline.status.history import history, returned_for

    run = session.run()
    records = run.records.folder(slot)
    found = cell(history(records), run.now())
    entries, returned = records.entries(), returned_for(slot, run)
    if session.as_json:
        shown = [
            {
                "name": entry.name,
                "record": entry.record.model_dump(mode="json") if entry.record else None,
                "damage": entry.damage,
            }
            for entry in entries
        ]
        session.write(
            {**found.as_json(), "records": shown, "returned": [one.model_dump(mode="json") for one in returned]}
        )
    else:
        _show_one(session, found, entries, returned)
    return OK if found.well and not any(entry.damage for entry in entries) else ATTENTION


def _show_one(session: Session, cell: Cell, entries: list[Entry], returned: list[Returned]) -> None:
    session.say(f"{cell.slot.dataset} {cell.slot.window.start:%Y-%m-%d %H:%M} UTC: {_shown(cell)}")
    for problem in cell.problems:
        session.say(f"  [red]{plain(problem)}[/]")
    for entry in entries:
        if entry.record is None:
            session.say(f"\n[bold]{plain(entry.name)}[/] [red]{plain(entry.damage)}[/]")
            continue
        session.say(f"\n[bold]{plain(entry.name)}[/] {entry.record.created:%Y-%m-%d %H:%M:%S} UTC")
        shown = entry.record.model_dump(mode="json", exclude={"created", "version"})
        session.say(plain(json.dumps(shown, indent=2, ensure_ascii=False)))
    for one in returned:
        kind = "[red]error file[/]" if one.error else "received"
        session.say(
            f"\n[bold]returned {plain(one.file_name)}[/] {kind}, {one.size:,} bytes, signature {plain(one.signature)}"
        )
        if one.problem is not None:
            session.say(f"  [yellow]{plain(one.problem)}[/]")
        if one.archived is not None:
            session.say(f"  archived as {plain(one.archived.name)}")
        if one.opened is not None:
            session.say(f"  opened as {plain(one.opened.name)}")
    if not entries:
        session.say("Nothing is recorded.")
