"""`certify`: prove from the source that what was there arrived; what can be repaired is published again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.answers import ASKING, answered_options, ask
from pipeline.cli.session import ATTENTION, OK, PERMANENT, RETRYABLE, Session, operator, plain, window_options
from pipeline.states import STATES
from pipeline.window import Window, rfc3339

if TYPE_CHECKING:
    from pipeline.certify.certification import Outcome, Report
    from pipeline.clients.counts import Waiting


MOST: Final = 12
"""Hours of one verdict that are told one by one, where each has a reason of its own."""


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
    rows are published to the topic again, so that the function repairs them; each finding is repaired once. After a
    backfill, certify its whole range: a long one is done day by day.

    Exit code 1 where a verdict needs attention, 3 where the partner could not be asked.

    \b
    Examples:
      python -m pipeline certify
      python -m pipeline certify --start 2026-11-23T00:00:00Z --end 2026-11-24T00:00:00Z --full
      python -m pipeline certify --start 2026-11-23T13:00:00Z --dataset payments --json
    """
    from pipeline.certify.certification import Report, by_day, certify

    if here:
        request = session.request("certify", start, end, datasets, full=full)
        session.announce("certifying here")
        report = Report.of([certify(day, session.run()) for day in by_day(request, session.run())])
    else:
        session.needed = ASKING
        question = session.question("certify", start, end, datasets, full=full)
        report = ask(session, question, Report, wait)
    wrong = [outcome for outcome in report.outcomes if STATES[outcome.certificate.verdict].needs_attention]
    if session.as_json:
        session.write([_as_json(outcome) for outcome in report.outcomes])
    else:
        _show(session, report, wrong)
    for failure in report.failures:
        click.echo(f"Error [{failure.code}] {failure.message}", err=True)
    again = report.partner == "not asked" or any(failure.retryable for failure in report.failures)
    final = PERMANENT if any(not failure.retryable for failure in report.failures) else OK
    return max(final, RETRYABLE if again else OK, ATTENTION if wrong else OK)


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


def _show(session: Session, report: Report, wrong: list[Outcome]) -> None:
    for run in _runs(wrong):
        _show_run(session, run)
    counts = Counter(outcome.certificate.verdict for outcome in report.outcomes)
    session.say(f"{len(report.outcomes)} deliveries: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    for name, waiting in _waiting(report.outcomes).items():
        session.say(f"{name} [red]rows wait[/]: {waiting}; see RUNBOOK.md, rows-waiting")
    if report.left:
        session.say(f"{report.left} more can be published again: MAX_REPUBLISH left them for the next run.")
    if report.partner == "not asked":
        session.say("[red]The partner could not be asked[/]: what it answered last stands. Try again.")


def _show_run(session: Session, run: list[Outcome]) -> None:
    """Hours of one verdict: the sentence that they share, or one for each of them, and the command for them all."""
    from pipeline.status.next_step import next_command, told

    first, verdict = run[0], run[0].certificate.verdict
    said = ["; ".join(told(outcome.certificate.problems)) or STATES[verdict].meaning for outcome in run]
    hours = f"{len(run)} hours from " if len(run) > 1 else ""
    again = sum(outcome.republished for outcome in run)
    what = [plain(said[0])] if len(set(said)) == 1 else []
    what += [f"{again} published again"] if again else []
    where = f"{first.slot.dataset} {hours}{first.slot.window.start:%Y-%m-%d %H:%M}"
    session.say(f"{where} [red]{verdict}[/]: {'; '.join(what) or 'each for its own reason'}")
    if len(set(said)) > 1:
        for outcome, sentence in list(zip(run, said, strict=True))[:MOST]:
            session.say(f"  {outcome.slot.window.start:%Y-%m-%d %H:%M} {plain(sentence)}")
        if len(run) > MOST:
            session.say(f"  and {len(run) - MOST} hours more; --json has them all")
    window = Window(first.slot.window.start, run[-1].slot.window.end)
    session.say(f"  {plain(next_command(verdict, first.slot.dataset, window))}")


def _waiting(outcomes: list[Outcome]) -> dict[str, Waiting]:
    """The rows in quarantine by dataset, as the certificate of the latest hour says."""
    latest = {outcome.slot.dataset: outcome.certificate.waiting for outcome in sorted(outcomes, key=lambda o: o.slot)}
    return {name: waiting for name, waiting in latest.items() if waiting}


def _runs(outcomes: list[Outcome]) -> list[list[Outcome]]:
    """Hours in a row of one dataset with the same verdict, together."""
    runs: list[list[Outcome]] = []
    for outcome in sorted(outcomes, key=lambda outcome: outcome.slot):
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and (last.slot.dataset, last.certificate.verdict) == (outcome.slot.dataset, outcome.certificate.verdict)
            and last.slot.window.end == outcome.slot.window.start
        ):
            runs[-1].append(outcome)
        else:
            runs.append([outcome])
    return runs
