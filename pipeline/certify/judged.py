"""One slot, judged: evidence, verdict, and the certificate that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pipeline.certify.evidence import Recorded
from pipeline.certify.partner import Shown
from pipeline.certify.recount import Recount
from pipeline.certify.verdict import Evidence
from pipeline.clients.counts import Waiting
from pipeline.records.schema import Certificate, FileState
from pipeline.records.sentences import rows
from pipeline.states import STATES, Verdict
from pipeline.status.next_step import NEXT, next_command
from pipeline.window import Slot

UNSENT: Final[tuple[Verdict, ...]] = ("missing", "stalled", "refused", "source not ready")
"""Verdicts on what is not at the partner, or not all of it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found out about one slot."""

    recorded: Recorded
    recount: Recount
    evidence: Evidence
    verdict: Verdict
    certificate: Certificate

    @property
    def is_news(self) -> bool:
        """Whether the certificate says something that no earlier one says."""
        previous = self.recorded.previous
        return previous is None or not self.certificate.says_the_same_as(previous)

    @property
    def is_first_comparison(self) -> bool:
        """Whether all columns were read now, and no certificate says that they were before."""
        previous = self.recorded.previous
        return self.certificate.compared is not None and (previous is None or previous.compared is None)

    @property
    def is_newly_overdue(self) -> bool:
        """Whether this certificate is the first to find that the promised time is over."""
        previous = self.recorded.previous
        return self.certificate.overdue and not (previous and previous.overdue)

    @property
    def is_alarming(self) -> bool:
        """Whether people are to hear of the news: that a late source has come a little further is none."""
        previous = self.recorded.previous
        return previous is None or (previous.verdict, self.verdict) != ("source not ready", "source not ready")


def judged(
    recorded: Recorded,
    recount: Recount,
    evidence: Evidence,
    verdict: Verdict,
    at_partner: Mapping[str, FileState],
    shown: Shown,
    waiting: Waiting | None,
    now: datetime,
    *,
    full: bool,
) -> Judged:
    """The slot with its certificate."""
    plan = recorded.plan
    certificate = Certificate(
        verdict=verdict,
        full=full,
        rows_planned=plan.rows if plan else 0,
        rows_now=recount.rows,
        fingerprint_planned=plan.fingerprint if plan else None,
        fingerprint_now=recount.fingerprint,
        change=recount.change,
        files=recorded.files,
        problems=tuple(_problems(recorded, recount, evidence, verdict, shown)),
        partner=shown.answer,
        at_partner=dict(at_partner),
        change_total_now=recount.change_total,
        counted=recount.counted,
        compared=recount.compared,
        overdue=_is_overdue(recorded, verdict, now),
        waiting=waiting if waiting and waiting.concerns(recorded.slot.window.end) else None,
    )
    return Judged(recorded, recount, evidence, verdict, certificate)


def _is_overdue(recorded: Recorded, verdict: Verdict, now: datetime) -> bool:
    """Whether the delivery has missed the time that its contract promises, and is still not at the partner."""
    promise = recorded.contract.promise
    return promise is not None and verdict in UNSENT and now >= recorded.slot.window.end + promise.within


def _problems(recorded: Recorded, recount: Recount, found: Evidence, verdict: Verdict, shown: Shown) -> Iterator[str]:
    """What is wrong, a sentence each with its numbers; the last one is the command that comes next."""
    yield from (*found.records, *found.archive)
    if verdict == "source not ready":
        yield _not_ready(recorded.slot, recount)
    yield from recorded.broken
    yield from _not_sent(recorded, recount, found, verdict)
    change = recount.change
    counts = (
        (change.added, "arrived after the plan"),
        (change.altered, "changed after the plan"),
        (change.deleted, "deleted after the plan"),
    )
    yield from (f"{rows(count)} {what}" for count, what in counts if count)
    yield from (*found.rejected, *found.altered, *found.gone, *found.open_attempts, *found.unproven)
    yield from (one.problem for one in found.superseded)
    failure = recorded.failure
    if failure is not None and verdict in ("missing", "stalled", "source not ready"):
        yield f"the last attempt failed: {failure.code}, {failure.reason}"
    if recorded.files and shown.answer == "not asked":
        yield "the partner could not be asked; what it answered last stands"
    if STATES[verdict].needs_attention:
        yield NEXT + next_command(verdict, recorded.slot.dataset, recorded.slot.window)


def _not_ready(slot: Slot, recount: Recount) -> str:
    until = _clock(recount.complete_until, slot) if recount.complete_until else "no time that it has named"
    return f"the source is complete until {until}, needs {_clock(slot.window.end, slot)}"


def _not_sent(recorded: Recorded, recount: Recount, found: Evidence, verdict: Verdict) -> Iterator[str]:
    plan = recorded.plan
    if plan is None and recount.rows:
        yield f"{rows(recount.rows)} at the source, nothing planned"
    elif plan is None and verdict == "missing":
        yield "no rows at the source, and the file that says so was not sent"
    elif plan is not None and not found.refused:
        parts = {part.part: part for part in plan.parts}
        for part in found.undelivered:
            done = "sealed" if part in (recorded.sealed or {}) else "planned"
            yield f"part {part} of {len(parts)}, {rows(parts[part].rows)}, is {done} and not at the partner"


def _clock(instant: datetime, slot: Slot) -> str:
    """The time of day, with its date where that is not the day of the window's end."""
    same = instant.date() == slot.window.end.date()
    return f"{instant:%H:%M}" if same else f"{instant:%Y-%m-%d %H:%M}"
