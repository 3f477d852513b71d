"""`republish`: put windows on the topic again, so that the function delivers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.answers import ASKING
from pipeline.cli.session import ATTENTION, OK, Session, delivery_options, operator

if TYPE_CHECKING:
    from pipeline.messages import Request
    from pipeline.run import Run
    from pipeline.status.grid import Cell


@click.command(short_help="Publish a window or range to the topic again.")
@delivery_options
@operator
def command(
    session: Session,
    start: str | None,
    end: str | None,
    datasets: tuple[str, ...],
    resend: bool,
    revise: bool,
    yes: bool,
) -> int:
    """Publish one message for each dataset and hour, after saying what each will do and asking.

    A delivery that is at the partner stays as it is, unless --resend or --revise is given. The function carries the
    messages out; follow them with `status`. Exit code 1 where you say no.

    \b
    Examples:
      python -m pipeline republish --start 2026-11-23T13:00:00Z
      python -m pipeline republish --start 2026-11-23T00:00:00Z --end 2026-11-24T00:00:00Z --yes
      python -m pipeline republish --start 2026-11-23T13:00:00Z --dataset payments --revise --yes
    """
    if start is None:
        raise click.UsageError("Name the window: --start, and --end for more than an hour.")
    session.needed = ASKING
    request = session.request("deliver", start, end, datasets, resend=resend, revise=revise)
    session.announce("looking at what is there")
    run = session.run()
    planned = _planned(request, run)
    if not session.as_json:
        _show(session, planned)
    if not yes and not click.confirm(f"Publish {len(planned)} messages to {run.settings.topic}?", err=True):
        return ATTENTION
    published = _publish(request, session)
    if session.as_json:
        session.write({"published": published, "deliveries": [{**cell.as_json(), "would": do} for cell, do in planned]})
    else:
        session.say(f"{published} messages are on the topic {run.settings.topic}.")
    return OK


def _planned(request: Request, run: Run) -> list[tuple[Cell, str]]:
    """Where each delivery stands, and what its message would do."""
    from pipeline.status.grid import cell, would
    from pipeline.status.history import histories

    assert request.window is not None
    slots = histories(request.datasets, request.window, run)
    slots.sort(key=lambda history: (history.slot.window.start, history.slot.dataset))
    return [
        (cell(history, run.now()), would(history, resend=request.resend, revise=request.revise)) for history in slots
    ]


def _publish(request: Request, session: Session) -> int:
    from pipeline.dispatch import publish

    singles = request.singles()
    publish(singles, session.run())
    return len(singles)


def _show(session: Session, planned: list[tuple[Cell, str]]) -> None:
    from rich.table import Table

    table = Table("dataset", "hour (UTC)", "now", "the message will")
    for cell, do in planned:
        color = "green" if cell.well else "red"
        hour = f"{cell.slot.window.start:%Y-%m-%d %H:%M}"
        table.add_row(cell.slot.dataset, hour, f"[{color}]{cell.state}[/] r{cell.revision}", do)
    session.console.print(table)
