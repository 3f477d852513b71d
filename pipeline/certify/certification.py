"""Certify: prove from the source that what was there arrived, find every hole, and mend what can be republished.

By the hourly message: every hour of the last LOOK_BACK_HOURS but the latest, so that an outage of the scheduler, of the
function or of certify itself is found by the next run. By hand: any window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

from pipeline import log
from pipeline.certify.evidence import Gathered, Surroundings, gather
from pipeline.certify.verdict import judge
from pipeline.clients import directory
from pipeline.clients.storage import StoredObject
from pipeline.errors import PartnerUnavailable, during
from pipeline.messages import Request, write
from pipeline.records.schema import Certificate
from pipeline.run import Run
from pipeline.states import STATES, Verdict
from pipeline.window import Slot, Window


@dataclass(frozen=True, slots=True)
class Outcome:
    """One slot's certificate, and whether its window was published again."""

    slot: Slot
    revision: int
    certificate: Certificate
    republished: bool


def certify(request: Request, run: Run) -> list[Outcome]:
    """Certify every slot that the request is about and record what is new; what can be republished is published again.

    Raises SourceUnavailable, ArchiveUnavailable, TopicUnavailable, OutOfTime; certificates recorded until then stay.
    A partner that cannot be reached counts as one whose listing is closed.
    """
    window = request.window or _look_back(run)
    judged: list[tuple[Slot, Verdict, Gathered, Certificate]] = []
    with run.stage("certify", window=str(window)) as figures:
        listing = _listing(run)
        for name in request.datasets:
            for slot, found in _found(name, window, listing, request, run):
                verdict = judge(found.evidence)
                judged.append((slot, verdict, found, _concluded(slot, verdict, found, request, run)))
        republished = _republished([(slot, verdict, found) for slot, verdict, found, _ in judged], run)
        verdicts = Counter(verdict.replace(" ", "_") for _, verdict, _, _ in judged)
        figures.add(slots=len(judged), republished=len(republished), **dict(verdicts))
    return [
        Outcome(slot, found.folder.delivery.revision, certificate, slot in republished)
        for slot, _, found, certificate in judged
    ]


def _look_back(run: Run) -> Window:
    """The hours that are due: an hour is given one hour to be delivered."""
    end = Window.last_full_hour_before(run.now()).start
    return Window(end - timedelta(hours=run.settings.look_back_hours), end)


def _listing(run: Run) -> dict[str, int] | None:
    try:
        files = directory.listing(run.partner())
    except PartnerUnavailable as error:
        log.emit("partner.unavailable", str(error), code=error.code)
        return None
    return None if files is None else {file.name: file.size for file in files}


def _found(
    name: str, window: Window, listing: dict[str, int] | None, request: Request, run: Run
) -> Iterator[tuple[Slot, Gathered]]:
    dataset = run.dataset(name)
    ready = run.source.readiness(dataset)
    around = Surroundings(
        hours=cache(lambda contract: run.source.hours(contract, window, ready.snapshot)),
        archive=_archive(name, window, run),
        partner=listing,
        complete_until=ready.complete_until,
        now=ready.snapshot,
    )
    for slot, folder in run.records.folders(name, window).items():
        if not folder.revisions and not dataset.covers(slot.window):
            continue
        with log.bound(dataset=name, window=str(slot.window)), during("certify", str(slot)):
            yield slot, gather(folder, around, run, full=request.full)


def _archive(name: str, window: Window, run: Run) -> dict[str, StoredObject]:
    days = sorted({hour.start.date() for hour in window.hours()})
    found: dict[str, StoredObject] = {}
    for day in days:
        found |= run.archive.listed(f"{name}/{day:%Y/%m/%d}/")
    return found


def _concluded(slot: Slot, verdict: Verdict, found: Gathered, request: Request, run: Run) -> Certificate:
    """The certificate; recorded and told where it says something new."""
    certificate = _certificate(verdict, found, full=request.full)
    if found.previous is None or not certificate.says_the_same_as(found.previous):
        found.folder.add_certificate(certificate)
        with log.bound(dataset=slot.dataset, window=str(slot.window)):
            log.emit(
                str(STATES[verdict].event),
                "; ".join(certificate.problems) or None,
                revision=found.folder.delivery.revision,
                rows=found.now.rows,
                rows_planned=certificate.rows_planned,
            )
    return certificate


def _republished(faults: list[tuple[Slot, Verdict, Gathered]], run: Run) -> set[Slot]:
    """What was published again: the latest hours of all datasets first, MAX_REPUBLISH at the most."""
    published: set[Slot] = set()
    for slot, verdict, found in sorted(faults, key=lambda fault: fault[0].window, reverse=True):
        if len(published) == run.settings.max_republish:
            break
        with log.bound(dataset=slot.dataset, window=str(slot.window)), during("certify", str(slot)):
            if _republish(slot, verdict, found, run):
                published.add(slot)
    return published


def _certificate(verdict: Verdict, found: Gathered, *, full: bool) -> Certificate:
    plan, evidence = found.plan, found.evidence
    change = evidence.change
    problems = [*evidence.records, *evidence.archive]
    problems += [f"part {part} is not delivered" for part in evidence.undelivered if not evidence.refused]
    problems += [f"{count} rows {what}" for what, count in _counts(found) if count]
    problems += [f"{name} has another size at the partner" for name in evidence.partner]
    problems += [f"nothing proves that {name} arrived" for name in evidence.unconfirmed]
    return Certificate(
        verdict=verdict,
        full=full,
        rows_planned=plan.rows if plan else 0,
        rows_now=found.now.rows,
        fingerprint_planned=plan.fingerprint if plan else None,
        fingerprint_now=found.now.fingerprint,
        change=change,
        files=found.files,
        problems=tuple(problems),
    )


def _counts(found: Gathered) -> list[tuple[str, int]]:
    change = found.evidence.change
    return [
        ("arrived after the plan", change.added),
        ("were altered after the plan", change.altered),
        ("were deleted after the plan", change.deleted),
        ("wait to be planned", 0 if found.evidence.planned else found.now.rows),
    ]


def _republish(slot: Slot, verdict: Verdict, found: Gathered, run: Run) -> bool:
    """Publish the window again where that mends it; the cause makes sure that one finding is republished once."""
    cause = f"certify-{slot.dataset}-{found.folder.delivery.revision}-{found.now.fingerprint}"[:128]
    again = Request("deliver", cause, (slot.dataset,), slot.window)
    if verdict == "late rows" and run.settings.revise_late_rows:
        again = replace(again, revise=True)
    elif verdict == "partner mismatch":
        again = replace(again, resend=True, cause=f"{cause}-{run.now():%Y%m%d%H}"[:128])
    elif verdict == "refused":
        if found.plan and found.plan.fingerprint == found.now.fingerprint:
            return False
    elif verdict != "missing":
        return False
    run.topics.publish(run.settings.topic, [write(again)])
    log.emit("window.resent" if again.resend else "window.republished", None, verdict=verdict)
    return True
