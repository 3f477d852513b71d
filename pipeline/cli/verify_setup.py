"""`verify-setup`: everything that a first run needs, tried."""

from __future__ import annotations

import dataclasses
from typing import Final

import click

from pipeline.cli.session import ATTENTION, OK, Session, operator, plain

_COLORS: Final = {"ok": "green", "failed": "red", "untried": "yellow"}


@click.command(short_help="Try each secret, permission, host, table and topic.")
@operator
def command(session: Session) -> int:
    """Try every secret, key, table, bucket, topic and host of this deployment, and say what to do about what fails.

    Leaves nothing behind. It speaks for the account that runs it: run it as the function's own to learn about the
    function. Exit code 1 where something failed.

    \b
    Examples:
      python -m pipeline verify-setup
      python -m pipeline verify-setup --json
    """
    from pipeline.cli.preflight import checks

    found = []
    for check in checks(session.run()):
        found.append(check)
        if not session.as_json:
            session.say(f"[{_COLORS[check.state]}]{check.state:<8}[/]{plain(check.what)}: {plain(check.detail)}")
    if session.as_json:
        session.write([dataclasses.asdict(check) for check in found])
    return ATTENTION if any(check.state == "failed" for check in found) else OK
