"""`verify-setup`: everything that a first run needs, tried."""

from __future__ import annotations

import dataclasses
from typing import Final

import click

from pipeline.cli.answers import ASKING, answered_options, ask
from pipeline.cli.session import ATTENTION, OK, Session, operator, plain

_COLORS: Final = {"ok": "green", "failed": "red", "untried": "yellow"}


@click.command(short_help="Try each secret, permission, host, table and topic.")
@answered_options
@operator
def command(session: Session, here: bool, wait: int) -> int:
    """Try every secret, key, table, bucket, topic and host of this deployment, and say what to do about what fails.

    The function tries, so that the answer is about the function; with --here it is about you. Leaves nothing behind.
    Exit code 1 where something failed.

    \b
    Examples:
      python -m pipeline verify-setup
      python -m pipeline verify-setup --json
    """
    from pipeline.verify import Check, checks

    if here:
        session.announce("trying everything here")
        tried = checks(session.run())
    else:
        session.needed = ASKING
        tried = iter(ask(session, session.question("verify", None, None, ()), list[Check], wait))
    done = []
    for check in tried:
        done.append(check)
        if not session.as_json:
            session.say(f"[{_COLORS[check.state]}]{check.state:<8}[/]{plain(check.what)}: {plain(check.detail)}")
    if session.as_json:
        session.write([dataclasses.asdict(check) for check in done])
    return ATTENTION if any(check.state == "failed" for check in done) else OK
