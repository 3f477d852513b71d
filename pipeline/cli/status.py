"""`status`: the last hours as a grid, one delivery in full, or all of it as one page."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.answers import READING
from pipeline.cli.session import ATTENTION, OK, Session, operator, plain
from pipeline.states import STATES, Colour, StateName

if TYPE_CHECKING:
    from pipeline.keys import KeyState
    from pipeline.records.folder import Entry
    from pipeline.records.schema import Returned
    from pipeline.run import Run
    from pipeline.status.grid import Cell
    from pipeline.status.timeline import Moment
    from pipeline.window import Slot, Window

    Grid = dict[datetime, dict[str, Cell]]


TERMINAL: Final[dict[Colour, str]] = {"green": "green", "grey": "dim", "blue": "cyan", "red": "red"}
"""How rich calls the colours of states."""


@click.command(short_help="Where every delivery stands; one delivery in full; a page.")
@click.argument("dataset", required=False)
@click.argument("hour", required=False)
@click.option("--hours", default=48, show_default=True, type=click.IntRange(1, 744), help="How far back.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one self-contained page as well.")
@click.option("--punctuality", is_flag=True, help="How punctual each dataset was, against what its contract promises.")
@click.option("--records", is_flag=True, help="With DATASET and HOUR: every record in full.")
@operator
def command(
    session: Session,
    dataset: str | None,
    hour: str | None,
    hours: int,
    html: Path | None,
    punctuality: bool,
    records: bool,
) -> int:
    """Show where every dataset stands in each of the last hours: verdict, rows, bytes.

    With DATASET alone, its last hours. With DATASET and HOUR, one delivery as a timeline: planned, sealed, at the
    partner, certified, returned; --records shows every record of every revision. Exit code 1 where anything needs
    attention; with --html, a key too.

    \b
    Examples:
      python -m pipeline status
      python -m pipeline status --hours 12 --json
      python -m pipeline status --html status.html
      python -m pipeline status payments --hours 24
      python -m pipeline status --punctuality
      python -m pipeline status payments 2026-11-23T13:00:00Z
      python -m pipeline status payments "2026-11-23 13:00" --records
    """
    if html is None:
        session.needed = READING
    if punctuality:
        return _punctuality(session, _names(session, dataset))
    if hour is None:
        if records:
            raise click.UsageError("--records goes with DATASET and HOUR.")
        return _grid(session, _names(session, dataset), hours, html)
    if html is not None:
        raise click.UsageError("--html shows the grid; leave HOUR out.")
    (slot,) = session.request("certify", hour, None, (str(dataset),)).slots()
    return _one(session, slot, records=records)


def _names(session: Session, dataset: str | None) -> tuple[str, ...]:
    known = tuple(sorted(session.deployment.datasets))
    if dataset is not None and dataset not in known:
        raise click.UsageError(f"There is no dataset {dataset}; there are {', '.join(known)}.")
    return known if dataset is None else (dataset,)


def _grid(session: Session, names: tuple[str, ...], hours: int, html: Path | None) -> int:
    from pipeline.status.grid import grid, waiting
    from pipeline.status.history import histories
    from pipeline.window import Window

    run = session.run()
    last = Window.last_full_hour_before(run.now())
    window = Window(last.end - timedelta(hours=hours), last.end)
    hours_shown = grid(histories(names, window, run), run.now())
    cells = [cell for row in hours_shown.values() for cell in row.values()]
    keys: list[KeyState] = []
    trouble: str | None = None
    if html is not None:
        from pipeline.status.page import Subject, page

        keys, trouble = _keys(session, run)
        subject = Subject(run.settings.google_cloud_project, run.settings.sftp_host, names, session.deployment.promises)
        _write(html, page(subject, hours_shown, keys, trouble, run.now()))
    if session.as_json:
        session.write({"window": str(window), "cells": [cell.as_json() for cell in cells]})
    else:
        _show(session, hours_shown, names)
    wrong = trouble is not None or any(key.needs_attention for key in keys) or bool(waiting(hours_shown))
    return ATTENTION if wrong or not all(cell.well for cell in cells) else OK


def _punctuality(session: Session, names: tuple[str, ...]) -> int:
    """Say how punctual each dataset was over the days that its contract names; it reads the records of all of them."""
    from pipeline.status.grid import cell
    from pipeline.status.history import histories
    from pipeline.status.punctuality import punctuality
    from pipeline.window import Window

    run = session.run()
    last = Window.last_full_hour_before(run.now())
    results = []
    for name in names:
        if (promise := session.deployment.promises.get(name)) is None:
            session.complain_of(f"The contract of {name} promises no punctuality (slaProperties).")
            continue
        window = Window(last.end - timedelta(days=promise.days), last.end)
        cells = [cell(history, run.now()) for history in histories((name,), window, run)]
        results.append(punctuality(name, promise, cells, run.now()))
    if session.as_json:
        session.write(
            [{**dataclasses.asdict(result), "percent": result.percent, "kept": result.is_kept} for result in results]
        )
    else:
        for result in results:
            session.say(f"[{'green' if result.is_kept else 'red'}]{plain(result)}[/]")
    return OK if all(result.is_kept for result in results) else ATTENTION


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}.") from None


def _keys(session: Session, run: Run) -> tuple[list[KeyState], str | None]:
    """The keys, or why they could not be looked at: a page that shows the rest is better than none."""
    from pipeline.errors import PipelineError
    from pipeline.keys import look_at_keys

    try:
        return look_at_keys(run), None
    except PipelineError as error:
        return [], error.message


def _show(session: Session, rows: Grid, names: tuple[str, ...]) -> None:
    from rich.table import Table

    from pipeline.status.grid import troubles, waiting

    table = Table("hour (UTC)", *names)
    for start, row in rows.items():
        table.add_row(f"{start:%Y-%m-%d %H:%M}", *(_shown(row[name]) for name in names))
    session.console.print(table)
    for trouble in troubles(rows):
        hours = f"{len(trouble.window)} hours from " if len(trouble.window) > 1 else ""
        told = plain("; ".join(trouble.problems) or STATES[trouble.state].meaning)
        session.say(f"{trouble.dataset} {hours}{trouble.window.start:%Y-%m-%d %H:%M} [red]{trouble.state}[/]: {told}")
        _say_next(session, trouble.state, trouble.dataset, trouble.window)
    for name, rows_waiting in waiting(rows).items():
        session.say(f"{name} [red]rows wait[/]: {rows_waiting}; see RUNBOOK.md, rows-waiting")


def _shown(cell: Cell) -> str:
    colour = TERMINAL[STATES[cell.state].colour]
    revision = f" r{cell.revision}" if cell.revision > 1 else ""
    figures = [f"{cell.rows:,} rows"] if cell.rows else []
    figures += [f"{cell.bytes:,} B"] if cell.bytes else []
    return f"[{colour}]{cell.state}[/]{revision} [dim]{', '.join(figures)}[/]".strip()


def _one(session: Session, slot: Slot, *, records: bool) -> int:
    from pipeline.status.grid import cell
    from pipeline.status.history import history, returned_for
    from pipeline.status.timeline import timeline

    run = session.run()
    folder = run.records.folder(slot)
    told = history(folder, run)
    state, contract = cell(told, run.now()), run.contracts.of(told.plan) if told.plan else None
    entries, returned = folder.entries(), returned_for(slot, run)
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
            {**state.as_json(), "records": shown, "returned": [file.model_dump(mode="json") for file in returned]}
        )
    elif records:
        _show_records(session, state, entries, returned)
    else:
        _show_timeline(session, state, timeline(slot, entries, returned, contract), [e for e in entries if e.damage])
    return OK if state.well and not any(entry.damage for entry in entries) else ATTENTION


def _show_timeline(session: Session, cell: Cell, moments: list[Moment], damaged: list[Entry]) -> None:
    session.say(f"{cell.slot.dataset} {cell.slot.window.start:%Y-%m-%d %H:%M} UTC: {_shown(cell)}")
    for moment in moments:
        revision = "  " if moment.revision is None else f"r{moment.revision}"
        what = f"[red]{plain(moment.what)}[/]" if moment.is_bad else f"[bold]{plain(moment.what)}[/]"
        session.say(f"  {moment.at:%Y-%m-%d %H:%M:%S} {revision} {what}: {plain(moment.sentence)}")
        for line in moment.lines:
            session.say(f"      {plain(line)}")
    for entry in damaged:
        session.say(f"  [red]{plain(entry.name)}: {plain(entry.damage)}[/]")
    if not moments and not damaged:
        session.say("  Nothing is recorded.")
    if not cell.well:
        said = {line for moment in moments for line in moment.lines}
        for problem in cell.problems:
            if problem not in said:
                session.say(f"  [red]{plain(problem)}[/]")
        _say_next(session, cell.state, cell.slot.dataset, cell.slot.window)


def _say_next(session: Session, state: StateName, dataset: str, window: Window) -> None:
    """What to do about a state, and the command for it."""
    from pipeline.status.next_step import next_command

    session.say(f"  What to do: {STATES[state].action}")
    session.say(f"  {plain(next_command(state, dataset, window))}")


def _show_records(session: Session, cell: Cell, entries: list[Entry], returned: list[Returned]) -> None:
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
    for file in returned:
        kind = "[red]error file[/]" if file.error else "received"
        session.say(
            f"\n[bold]returned {plain(file.file_name)}[/] {kind}, {file.size:,} bytes, "
            f"signature {plain(file.signature)}"
        )
        if file.problem is not None:
            session.say(f"  [yellow]{plain(file.problem)}[/]")
        if file.archived is not None:
            session.say(f"  archived as {plain(file.archived.name)}")
        if file.opened is not None:
            session.say(f"  opened as {plain(file.opened.name)}")
    if not entries:
        session.say("Nothing is recorded.")
