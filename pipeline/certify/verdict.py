"""What the evidence about one slot amounts to: pure judgement, separate from how the evidence is gathered."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.records.schema import Change
from pipeline.states import Verdict


@dataclass(frozen=True, slots=True)
class Superseded:
    """What is wrong with a file of a revision that another has followed: it is `altered`, or may come to be."""

    revision: int
    altered: bool
    problem: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of one slot. Empty lists mean that nothing speaks against it.

    `planned` says whether a plan is recorded; `rows_now` is the warehouse's count at this moment, and `empty_file` says
    that a window without rows has a file too. `stalled` says that the delivery was begun an hour ago or more. `records`
    and `archive` name what is missing or differs there; `altered` files have another size at the partner, `gone` ones
    are no longer there, `open_attempts` may still replace a file by half of it, and nothing proves that `unproven`
    files arrived. `rejected` says which parts the partner returned an error about, and `acknowledged` that it returned
    another file about each. `superseded` is about the files of earlier revisions, which must not be half either.
    """

    ready: bool
    planned: bool
    rows_now: int
    empty_file: bool = False
    rows_planned: int = 0
    refused: bool = False
    undelivered: tuple[int, ...] = ()
    stalled: bool = False
    change: Change = field(default_factory=Change)
    records: tuple[str, ...] = ()
    archive: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    open_attempts: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    acknowledged: bool = False
    superseded: tuple[Superseded, ...] = ()


def judge(evidence: Evidence) -> Verdict:
    """The one verdict on the evidence: damage first, then what was never sent, then what is not proven."""
    if evidence.records or evidence.archive:
        return "archive mismatch"
    if not evidence.planned:
        if not evidence.ready:
            return "source not ready"
        return "missing" if evidence.rows_now or evidence.empty_file else "empty"
    if evidence.refused:
        return "refused"
    if evidence.undelivered:
        return "stalled" if evidence.stalled else "missing"
    faults: tuple[tuple[object, Verdict], ...] = (
        (evidence.rejected, "rejected by partner"),
        (evidence.change.unsent, "late rows"),
        (evidence.altered or any(one.altered for one in evidence.superseded), "partner mismatch"),
        (evidence.gone, "vanished"),
        (evidence.open_attempts or evidence.superseded, "unsettled"),
        (evidence.change.deleted, "rows gone"),
        (evidence.unproven, "unconfirmed"),
    )
    found = next((verdict for fault, verdict in faults if fault), None)
    if found or not evidence.rows_planned:
        return found or "empty"
    return "acknowledged" if evidence.acknowledged else "certified"
