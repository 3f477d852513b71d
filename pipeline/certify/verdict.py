"""What the evidence about one slot amounts to: pure judgement, separate from how the evidence is gathered."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.records.schema import Change
from pipeline.states import Verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of one slot. Empty lists mean that nothing speaks against it.

    `planned` says whether a plan is recorded; `rows_now` is the warehouse's count at this moment. `records` and
    `archive` name what is missing or differs there, `partner` what differs at the partner; `unconfirmed` files are
    those whose arrival nothing proves.
    """

    ready: bool
    planned: bool
    rows_now: int
    rows_planned: int = 0
    refused: bool = False
    undelivered: tuple[int, ...] = ()
    change: Change = field(default_factory=Change)
    records: tuple[str, ...] = ()
    archive: tuple[str, ...] = ()
    partner: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()


def judge(evidence: Evidence) -> Verdict:
    """The one verdict on the evidence: damage first, then what was never sent, then what is not proven."""
    if evidence.records or evidence.archive:
        return "archive mismatch"
    if not evidence.planned:
        return "missing" if evidence.ready else "source not ready"
    if evidence.refused:
        return "refused"
    if evidence.undelivered:
        return "missing"
    if evidence.change.added or evidence.change.altered:
        return "late rows"
    if evidence.partner:
        return "partner mismatch"
    if evidence.change.deleted:
        return "rows gone"
    if evidence.unconfirmed:
        return "unconfirmed"
    return "certified" if evidence.rows_planned else "empty"
