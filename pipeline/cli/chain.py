"""`chain`: the steps from message to proof."""

from __future__ import annotations

import click

from pipeline import CHAIN
from pipeline.cli.session import OK, Session, operator


@click.command(short_help="Print the chain: step, module, what it takes and gives.")
@operator
def command(session: Session) -> int:
    """Print the chain from message to proof as a table: step, module, what it takes and what it gives."""
    if session.as_json:
        session.write([step._asdict() for step in CHAIN])
        return OK
    from rich.table import Table

    table = Table("step", "module", "takes", "gives")
    for step in CHAIN:
        table.add_row(*step)
    session.console.print(table)
    return OK
