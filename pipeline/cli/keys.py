"""`keys`: how long every key lasts, and what is wrong with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from pipeline.cli.answers import ASKING, answered_options, ask
from pipeline.cli.session import ATTENTION, OK, Session, operator, plain


@click.command(short_help="Look at every key and pinned host key.")
@click.option(
    "--try",
    "candidate",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Judge a new key of the partner, before it is put into the secret.",
)
@answered_options
@operator
def command(session: Session, candidate: Path | None, here: bool, wait: int) -> int:
    """Look at the partner's key, our signing key, and, by logging in, at the SSH keys and the pinned host keys.

    Says how long each lasts and what it can, and what the servers offer. A service or a server that does not answer
    hides none of the others. With --try a file with a new PGP key of the partner is judged instead, as if it were in
    the secret: it is imported and encrypted to, and kept nowhere. Compare its fingerprint with the partner's by phone.

    Exit code 1 where a key is unusable, could not be looked at, or ends within 30 days.

    \b
    Examples:
      python -m pipeline keys
      python -m pipeline keys --try partner-2027.asc
    """
    from pipeline.keys import KeyState, look_at_keys, try_partner_key

    if candidate is not None:
        states = [try_partner_key(candidate.read_bytes(), candidate.name, session.run())]
    elif here:
        session.announce("looking at keys here")
        states = look_at_keys(session.run())
    else:
        session.needed = ASKING
        states = ask(session, session.question("keys", None, None, ()), list[KeyState], wait)
    if session.as_json:
        session.write([dataclasses.asdict(state) for state in states])
    else:
        for state in states:
            left = "no end" if state.days_left is None else f"{state.days_left} days left"
            color = "red" if state.trouble else "yellow" if state.needs_attention else "green"
            text = state.trouble or f"{state.fingerprint} usable, {left}{f' ({state.detail})' if state.detail else ''}"
            session.say(f"[{color}]{state.key}[/]: {plain(text)}")
    return ATTENTION if any(state.needs_attention for state in states) else OK
