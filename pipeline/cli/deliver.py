"""`deliver`: run windows here, from any terminal, each dataset, hour and part in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from pipeline.cli.session import ATTENTION, OK, Session, exit_code, operator, plain, window_options
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.cli.grid import Cell
    from pipeline.messages import Request
    from pipeline.streams.progress import Measure, Observe
    from pipeline.window import Slot


@click.command(short_help="Run a window here, with progress bars.")
@window_options
@click.option("--resend", is_flag=True, help="Send the same sealed bytes again.")
@click.option("--revise", is_flag=True, help="Extract anew, as the next revision.")
@operator
def command(
    session: Session, start: str | None, end: str | None, datasets: tuple[str, ...], resend: bool, revise: bool
) -> int:
    """Deliver windows from this terminal: nothing is published, every hour and part runs in this process.

    The code, records and rules are those of the function, so both may work at once: what was done is not done again,
    and what was begun goes on. Without --start, the last full hour. TIME_BUDGET_SECONDS holds for each part. An error
    in one hour does not stop the others; the exit code is that of the worst.

    \b
    Examples:
      python -m pipeline deliver --start 2026-11-23T13:00:00Z
      python -m pipeline deliver --start 2026-11-23T00:00:00Z --end 2026-11-24T00:00:00Z --dataset payments
      python -m pipeline deliver --start 2026-11-23T13:00:00Z --dataset payments --resend
    """
    request = session.request("deliver", start, end, datasets, resend=resend, revise=revise)
    codes, outcomes = [OK], []
    for slot in request.slots():
        before = session.run().records.folder(slot).names
        failure: PipelineError | None = None
        try:
            _deliver(slot, replace(request, datasets=(slot.dataset,), window=slot.window), session)
        except PipelineError as error:
            failure = error
            codes.append(exit_code(error))
        found, news = _outcome(slot, before, session)
        outcomes.append({**found.as_json(), "done": news, "error": _as_json(failure)})
        if not found.well:
            codes.append(ATTENTION)
        if not session.as_json:
            text = f"[red]{failure.code}: {plain(failure.message)}[/]" if failure else f"{found.state}, {news}"
            figures = f"{found.rows or 0:,} rows, {found.sealed_bytes or 0:,} bytes"
            session.say(f"{slot.dataset} {slot.window.start:%Y-%m-%d %H:%M} r{found.revision}: {text}, {figures}")
    if session.as_json:
        session.write(outcomes)
    return max(codes)


def _deliver(slot: Slot, request: Request, session: Session) -> None:
    """Plan the slot, then carry out each of its parts as the function would for one message."""
    from pipeline import dispatch
    from pipeline.deliver.plan import plan_for

    run = session.run()
    try:
        delivery, plan = plan_for(slot, request, run.records.folder(slot), run)
        whole = replace(request, revision=delivery.revision)
        for part in [None] if len(plan.parts) <= 1 else [one.part for one in plan.parts]:
            name = f"{delivery}" if part is None else f"{delivery} part {part} of {len(plan.parts)}"
            with _bars(session, name) as observe:
                dispatch.carry_out(replace(whole, part=part), session.run(observe))
    except PipelineError as error:
        dispatch.alarm(error)
        raise


def _outcome(slot: Slot, before: frozenset[str], session: Session) -> tuple[Cell, str]:
    """Where the slot stands now, and what this command did about it."""
    from pipeline.cli.grid import cell
    from pipeline.cli.history import history

    run = session.run()
    folder = run.records.folder(slot)
    new = {name.split("/")[1].split("-")[0] for name in folder.names - before}
    words = {"plan": "planned", "refused": "refused", "sealed": "sealed", "delivered": "sent"}
    done = ", ".join(word for kind, word in words.items() if kind in new)
    return cell(history(folder, run), run.now()), done or "nothing new"


def _as_json(error: PipelineError | None) -> dict[str, object] | None:
    return None if error is None else {"code": error.code, "message": error.message, "retryable": error.retryable}


@contextmanager
def _bars(session: Session, name: str) -> Iterator[Observe]:
    """Three bars on stderr where that is a terminal; they appear as soon as there is something to show."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    figures = TextColumn("{task.completed:,} of {task.fields[all]}")
    columns = (TextColumn("{task.description}"), BarColumn(), figures, TimeElapsedColumn())
    with Progress(*columns, console=session.aside, disable=not session.aside.is_terminal) as bars:
        tasks: dict[Measure, TaskID] = {}

        def observe(measure: Measure, more: int, total: int | None) -> None:
            if measure not in tasks:
                shown = "?" if total is None else f"{total:,}"
                tasks[measure] = bars.add_task(f"{name} {measure}", total=total, all=shown)
            bars.advance(tasks[measure], more)

        yield observe
