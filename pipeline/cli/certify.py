"""`certify`: prove from the source that what was there arrived; what can be sent again is published again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from pipeline.cli.answers import ASKING, answered_options, ask
from pipeline.cli.session import ATTENTION, OK, Session, operator, plain, window_options
from pipeline.states import STATES
from pipeline.window import rfc3339

if TYPE_CHECKING:
    from pipeline.certify.certification import Outcome


@click.command(short_help="Recount the source and certify what was delivered.")
@window_options
@click.option("--full", is_flag=True, help="Read every archived byte again and compare its SHA-256.")
@answered_options
@operator
def command(
    session: Session,
    start: str | None,
    end: str | None,
    datasets: tuple[str, ...],
    full: bool,
    here: bool,
    wait: int,
) -> int:
    """Recount the source and compare it with plan, records, archive and the partner's listing.

    Without --start, every hour of the last LOOK_BACK_HOURS but the latest, as the hourly message does. Holes and late
    rows are published to the topic again, so that the function sends them; each finding is answered once.

    Exit code 1 where a verdict is neither certified nor empty.

    \b
    Examples:
      python -m pipeline certify
      python -m pipeline certify --start 2026-11-23T00:00:00Z --end 2026-11-24T00:00:00Z --full
      python -m pipeline certify --start 2026-11-23T13:00:00Z --dataset payments --json
    """
    from pipeline.certify.certification import Outcome, certify

    if here:
        request = session.request("certify", start, end, datasets, full=full)
        session.announce("certifying here")
        outcomes = certify(request, session.run())
    else:
        session.needed = ASKING
        question = session.question("certify", start, end, datasets, full=full)
        outcomes = ask(session, question, list[Outcome], wait)
    unsettled = [outcome for outcome in outcomes if STATES[outcome.certificate.verdict].needs_attention]
    if session.as_json:
        session.write([_as_json(outcome) for outcome in outcomes])
    else:
        _show(session, outcomes, unsettled)
    return ATTENTION if unsettled else OK


def _as_json(outcome: Outcome) -> dict[str, object]:
    window = outcome.slot.window
    return {
        "dataset": outcome.slot.dataset,
        "start": rfc3339(window.start),
        "end": rfc3339(window.end),
        "revision": outcome.revision,
        "republished": outcome.republished,
        **outcome.certificate.model_dump(mode="json"),
    }


def _show(session: Session, outcomes: list[Outcome], unsettled: list[Outcome]) -> None:
    for outcome in unsettled:
        slot, certificate = outcome.slot, outcome.certificate
        again = "; published again" if outcome.republished else ""
        what = plain("; ".join(certificate.problems)) or f"{certificate.rows_now:,} rows at the source, nothing planned"
        session.say(f"{slot.dataset} {slot.window.start:%Y-%m-%d %H:%M} [red]{certificate.verdict}[/]: {what}{again}")
    counts = Counter(outcome.certificate.verdict for outcome in outcomes)
    session.say(f"{len(outcomes)} deliveries: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
