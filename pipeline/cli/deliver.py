"""`deliver`: run windows here, from any terminal, each dataset, hour and part in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pipeline.cli.session import ATTENTION, OK, Session, delivery_options, exit_code, operator, plain
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.messages import Request
    from pipeline.records.folder import SlotFolder
    from pipeline.streams.progress import Measure, Observe


@click.command(short_help="Run a window here, with progress bars.")
@delivery_options
@click.option("--here", is_flag=True, help="Needed: it runs in this process, with your own rights and address.")
@operator
def command(
    session: Session,
    start: str | None,
    end: str | None,
    datasets: tuple[str, ...],
    resend: bool,
    revise: bool,
    here: bool,
    yes: bool,
) -> int:
    """Deliver windows from this terminal: nothing is published, every hour and part runs in this process.

    The code, records and rules are those of the function, so both may work at once: what was done is not done again,
    and what was begun goes on. Without --start, the last full hour. TIME_BUDGET_SECONDS holds for each part. An error
    in one hour does not stop the others; the exit code is that of the worst. It asks first, since files go to the
    partner from your own address; `republish` has the function do it instead.

    \b
    Examples:
      python -m pipeline deliver --here --start 2026-11-23T13:00:00Z
      python -m pipeline deliver --here --start 2026-11-23T00:00:00Z --end 2026-11-24T00:00:00Z --dataset payments
      python -m pipeline deliver --here --start 2026-11-23T13:00:00Z --dataset payments --resend --yes
    """
    from pipeline.status.grid import cell
    from pipeline.status.history import history

    if not here:
        raise click.UsageError("deliver runs in this process: say --here, or have the function do it with `republish`.")
    request = session.request("deliver", start, end, datasets, resend=resend, revise=revise)
    deliveries = request.singles()
    session.announce(f"{len(deliveries)} deliveries from this machine")
    if not yes and not click.confirm("Deliver?", err=True):
        return ATTENTION
    codes, outcomes = [OK], []
    for single in deliveries:
        (slot,) = single.slots()
        before = session.run().records.folder(slot)
        failure: PipelineError | None = None
        try:
            _deliver(single, session)
        except PipelineError as error:
            failure = error
            codes.append(exit_code(error))
        run = session.run()
        after = run.records.folder(slot)
        outcome, news = cell(history(after, run), datetime.now(UTC)), _news(before, after)
        outcomes.append({**outcome.as_json(), "done": news, "error": _as_json(failure)})
        if not outcome.well:
            codes.append(ATTENTION)
        if not session.as_json:
            text = f"[red]{failure.code}: {plain(failure.message)}[/]" if failure else f"{outcome.state}, {news}"
            figures = f"{outcome.rows or 0:,} rows, {outcome.sealed_bytes or 0:,} bytes"
            session.say(f"{slot.dataset} {slot.window.start:%Y-%m-%d %H:%M} r{outcome.revision}: {text}, {figures}")
    if session.as_json:
        session.write(outcomes)
    return max(codes)


def _deliver(request: Request, session: Session) -> None:
    """Carry out one slot; where it is fanned out to its parts, each of them as the function would for one message."""
    from pipeline.deliver.delivery import deliver
    from pipeline.deliver.failure import noted
    from pipeline.dispatch import alarm

    pending = [request]
    while pending:
        current = pending.pop(0)
        (slot,) = current.slots()
        name = str(slot) if current.part is None else f"{slot} part {current.part}"
        try:
            with _bars(session, name) as observe:
                run = session.run(observe)
                with noted(current, run):
                    deliver(current, run, pending.extend)
        except PipelineError as error:
            alarm(error)
            raise


def _news(before: SlotFolder, after: SlotFolder) -> str:
    """What this command did about a slot."""
    words = {"plan": "planned", "refused": "refused", "sealed": "sealed", "delivered": "sent"}
    new = after.kinds_since(before)
    return ", ".join(word for kind, word in words.items() if kind in new) or "nothing new"


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
