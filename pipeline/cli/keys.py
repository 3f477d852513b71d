"""`keys`: how long every key lasts, and what is wrong with it."""

from __future__ import annotations

import dataclasses

import click

from pipeline.cli.session import ATTENTION, OK, Session, operator, plain


@click.command(short_help="Look at every key and pinned host key.")
@operator
def command(session: Session) -> int:
    """Look at the partner's key, our signing key, and, by logging in, at the SSH keys and the pinned host keys.

    Exit code 1 where one is unusable, or ends within 30 days.

    \b
    Examples:
      python -m pipeline keys
      python -m pipeline keys --json
    """
    from pipeline.keys import THRESHOLDS, look_at_keys

    states = look_at_keys(session.run())
    soon = [state for state in states if state.days_left is not None and state.days_left <= max(THRESHOLDS)]
    if session.as_json:
        session.write([dataclasses.asdict(state) for state in states])
    else:
        for state in states:
            left = "no end" if state.days_left is None else f"{state.days_left} days left"
            color = "red" if state.trouble else "yellow" if state in soon else "green"
            told = plain(state.trouble or f"{state.fingerprint} usable, {left}")
            session.say(f"[{color}]{state.key}[/]: {told}")
    return ATTENTION if soon or any(state.trouble for state in states) else OK
