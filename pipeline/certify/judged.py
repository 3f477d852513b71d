"""One slot, judged: evidence, verdict, and the certificate that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.certify.evidence import Recorded
from pipeline.certify.partner import Shown
from pipeline.certify.recount import Recount
from pipeline.certify.verdict import Evidence
from pipeline.clients.counts import Waiting
from pipeline.records.schema import Certificate, FileState
from pipeline.states import Verdict


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


def judged(
    recorded: Recorded,
    recount: Recount,
    evidence: Evidence,
    verdict: Verdict,
    at_partner: Mapping[str, FileState],
    shown: Shown,
    waiting: Waiting | None,
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
        waiting=waiting if waiting and waiting.concerns(recorded.slot.window.end) else None,
    )
    return Judged(recorded, recount, evidence, verdict, certificate)


def _problems(recorded: Recorded, recount: Recount, found: Evidence, verdict: Verdict, shown: Shown) -> list[str]:
    problems = [*found.records, *found.archive]
    if not found.refused:
        problems += [f"part {part} is not delivered" for part in found.undelivered]
    change = recount.change
    counts = (
        (change.added, "arrived after the plan"),
        (change.altered, "were altered after the plan"),
        (change.deleted, "were deleted after the plan"),
        (0 if found.planned else recount.rows, "wait to be planned"),
    )
    problems += [f"{count} rows {what}" for count, what in counts if count]
    problems += [*found.rejected, *found.altered, *found.gone, *found.open_attempts, *found.unproven]
    problems += [one.problem for one in found.superseded]
    failure = recorded.failure
    if failure is not None and verdict in ("missing", "stalled", "source not ready"):
        problems.append(f"the last attempt failed: {failure.code}, {failure.reason}")
    if recorded.files and shown.answer == "not asked":
        problems.append("the partner could not be asked; what it answered last stands")
    return problems
