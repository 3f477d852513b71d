"""`collect`: fetch what the partner returned."""

from __future__ import annotations

import click

from pipeline.cli.answers import ASKING, answered_options, ask
from pipeline.cli.session import ATTENTION, OK, Session, operator, plain


@click.command(short_help="Fetch what the partner returned: errors, acknowledgements.")
@answered_options
@operator
def command(session: Session, here: bool, wait: int) -> int:
    """Fetch every file on the returns server that was not fetched before; archive, open and match it.

    Exit code 1 where one of them is an error file by RETURNS_ERROR_PATTERN, or could not be collected or opened.

    \b
    Examples:
      python -m pipeline collect
      python -m pipeline collect --json
    """
    from pipeline.collect.collection import collect
    from pipeline.records.schema import Returned

    if here:
        session.announce("collecting here")
        returned = collect(session.run())
    else:
        session.needed = ASKING
        returned = ask(session, session.question("collect", None, None, ()), list[Returned], wait)
    if session.as_json:
        session.write([file.model_dump(mode="json") for file in returned])
    elif here and not session.deployment.settings.returns_host:
        session.say("No returns server is set (RETURNS_HOST): there is nothing to collect.")
    elif not returned:
        session.say("Nothing new.")
    else:
        from rich.table import Table

        table = Table("file", "bytes", "about", "signature", "kind", "archived as")
        for file in returned:
            about = (
                f"{file.dataset} {file.start:%Y-%m-%d %H:%M} r{file.revision}" if file.start else "no delivery of ours"
            )
            kind = "[red]error[/]" if file.error else "received" if file.problem is None else "[yellow]problem[/]"
            place = file.archived.name if file.archived else file.problem or ""
            table.add_row(plain(file.file_name), f"{file.size:,}", about, plain(file.signature), kind, plain(place))
        session.console.print(table)
    return ATTENTION if any(file.error or file.problem for file in returned) else OK
