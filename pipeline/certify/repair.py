"""Repair: which message fixes what certify found, published so that one finding is repaired once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipeline.certify.judged import Judged
from pipeline.messages import Request, write
from pipeline.run import Run
from pipeline.window import Window

VANISHED: Final = "vanished"
"""How the cause of a message ends that sends a vanished file again; a delivery is sent so once."""

SENT: Final = ("partner mismatch", "vanished", "unsettled")
"""Verdicts on files that were sent, and are sent again."""


def repair(found: Judged, run: Run) -> bool:
    """Publish the messages that fix the slot; False where none can, or the finding was repaired before.

    Raises TopicUnavailable, OutOfTime.
    """
    messages = _messages(found, run)
    if not messages:
        return False
    run.topics.publish(run.settings.topic, [write(message) for message in messages])
    event = "window.resent" if found.verdict in SENT else "window.republished"
    run.alarm(event, None, verdict=found.verdict)
    return True


def urgency(found: Judged) -> tuple[bool, Window]:
    """What is repaired first is greatest: what was never sent before what was, and then the latest hour."""
    return found.verdict not in SENT, found.recorded.slot.window


def needs_repair(found: Judged, run: Run) -> bool:
    """Whether `repair` would publish a message."""
    return bool(_messages(found, run))


def _messages(found: Judged, run: Run) -> list[Request]:
    """The message for the latest revision, if any, and one for each earlier one that is to be sent again."""
    latest = _message(found, run)
    return [*([latest] if latest else []), *_earlier(found, run)]


def _earlier(found: Judged, run: Run) -> list[Request]:
    slot, faults = found.recorded.slot, found.evidence.superseded
    altered = {fault.revision for fault in faults if fault.altered}
    return [
        Request(
            "deliver",
            f"certify-{slot.dataset}-{revision}-{run.now():%Y%m%d%H}",
            (slot.dataset,),
            slot.window,
            resend=revision in altered,
            revision=revision,
        )
        for revision in sorted({fault.revision for fault in faults})
    ]


def _message(found: Judged, run: Run) -> Request | None:
    slot, evidence = found.recorded.slot, found.evidence
    revision = found.recorded.folder.delivery.revision
    cause = f"certify-{slot.dataset}-{revision}-{found.recount.mark}"
    plain = Request("deliver", cause[:128], (slot.dataset,), slot.window)
    if evidence.records or evidence.archive:
        return None
    match found.verdict:
        case "missing" | "stalled":
            return plain
        case "refused":
            plan = found.recorded.plan
            return None if plan and plan.fingerprint == found.recount.fingerprint else plain
        # Late rows of a delivery that the partner rejects may be the fixed ones.
        case "late rows" | "rejected by partner" if evidence.change.unsent and run.settings.revise_late_rows:
            return replace(plain, revise=True)
    return _sent_again(plain, found, run)


def _sent_again(plain: Request, found: Judged, run: Run) -> Request | None:
    """The message that has the partner's files replaced; each hour once where they differ, or may come to."""
    evidence = found.evidence
    if evidence.altered:
        return replace(plain, resend=True, cause=f"{plain.cause}-{run.now():%Y%m%d%H}"[:128])
    if evidence.gone and not evidence.rejected:  # a partner may put a file away that it rejects
        delivery = found.recorded.folder.delivery
        cause = f"certify-{delivery.slot.dataset}-{delivery.revision}-{VANISHED}"
        again = replace(plain, resend=True, cause=cause)
        sent = {one.cause for deliveries in (found.recorded.deliveries or {}).values() for one in deliveries}
        if cause not in sent:
            return again
    return plain if evidence.open_attempts else None
