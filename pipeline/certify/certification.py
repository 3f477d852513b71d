"""Certify: prove from the source that what was there arrived, find every hole, and repair what can be repaired.

By the hourly message: every hour of the last LOOK_BACK_HOURS but the latest, so that an outage of the scheduler, of the
function or of certify itself is found by the next run. By hand: any window. Slots are judged at the same time, and the
trouble of one, or of one dataset, keeps no other from being judged and repaired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from typing import Final, TypeVar

from pipeline import log
from pipeline.certify.depths import MOST_MISSED, count, hours_since_look
from pipeline.certify.evidence import Recorded, evidence, read
from pipeline.certify.judged import Judged, judged
from pipeline.certify.partner import Shown, ask, sweep
from pipeline.certify.recount import recount
from pipeline.certify.repair import needs_repair, repair, urgency
from pipeline.certify.verdict import judge
from pipeline.clients.counts import Counted, Readiness, Waiting
from pipeline.clients.storage import StoredObject
from pipeline.errors import OutOfTime, PipelineError, SourceUnavailable, during
from pipeline.messages import Request
from pipeline.records.folder import SlotFolder
from pipeline.records.schema import Certificate, Failure, PartnerAnswer
from pipeline.run import Run
from pipeline.states import STATES
from pipeline.streams import background
from pipeline.window import HOUR, Slot, Window

WORKERS: Final = 16
"""Slots that are read and judged at a time: a small request each after the other, so waiting takes longest."""

LONGEST: Final = 72
"""Hours that are certified in one run; a longer window is cut into days."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One slot's certificate, and whether its window was published again."""

    slot: Slot
    revision: int
    certificate: Certificate
    republished: bool


@dataclass(frozen=True, slots=True)
class Certification:
    """What came of a request: a slot each, how the partner answered, what could not be judged at all.

    `left` are the repairs that MAX_REPUBLISH put off until the next run.
    """

    outcomes: list[Outcome]
    partner: PartnerAnswer | None
    errors: list[PipelineError]
    left: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What a person is shown of one or several certifications; fields as there."""

    outcomes: list[Outcome]
    partner: PartnerAnswer | None
    failures: list[Failure]
    left: int

    @classmethod
    def of(cls, done: Sequence[Certification]) -> Report:
        """All of them together; the partner's answer is the worst that it gave."""
        answers: list[PartnerAnswer] = ["not asked", "listing closed", "listed"]
        given = {one.partner for one in done}
        return cls(
            [outcome for one in done for outcome in one.outcomes],
            next((answer for answer in answers if answer in given), None),
            [Failure(error.code, error.message, error.retryable) for one in done for error in one.errors],
            sum(one.left for one in done),
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """What one look at the warehouse and the archive showed of one dataset, and its records."""

    ready: Readiness
    waiting: Waiting | None
    counted: Counted
    archive: Mapping[str, StoredObject]
    recorded: list[Recorded]


@dataclass(slots=True)
class _Trouble:
    """Errors of single slots and datasets; everything else goes on."""

    errors: list[PipelineError] = field(default_factory=list)

    def caught(self, work: Callable[[T], R], subject: T, slot: Slot | str) -> R | None:
        """What the work gives; None where it fails, which is logged and remembered. Raises OutOfTime."""
        name = slot if isinstance(slot, str) else slot.dataset
        window = None if isinstance(slot, str) else str(slot.window)
        try:
            with log.bound(dataset=name, window=window), during("certify", str(slot)):
                return work(subject)
        except OutOfTime:
            raise
        except PipelineError as error:
            log.emit("window.unjudged", str(error), dataset=name, window=window, code=error.code)
            self.errors.append(error)
            return None


def certify(request: Request, run: Run) -> Certification:
    """Certify every slot that the request is about, record what is new, and publish what can be repaired.

    What cannot be judged is in `errors`; the rest is done. Raises OutOfTime; certificates recorded until then stay.
    """
    window = request.window or look_back(run)
    trouble = _Trouble()
    with run.stage("certify", window=str(window)) as figures:
        waiting = _waiting(request, run)
        asked = request.full or request.window is not None
        look = partial(_looked_at, waiting=waiting, window=window, asked=asked, run=run, trouble=trouble)
        found_of = {name: trouble.caught(look, name, name) for name in request.datasets}
        sources = {name: source for name, source in found_of.items() if source is not None}
        files = [name for source in sources.values() for recorded in source.recorded for name in recorded.every_file]
        shown = ask(files, run) if files else Shown("listed")
        found = [
            one
            for name, source in sources.items()
            for one in trouble.caught(lambda some: _judged(some, shown, request, run, trouble), source, name) or ()
        ]
        repaired, left = _repaired(found, run, trouble)
        swept = sweep(
            [name for one in found if not one.recorded.undelivered for name in one.recorded.files], shown, run
        )
        verdicts = Counter(one.verdict.replace(" ", "_") for one in found)
        figures.add(slots=len(found), partner=shown.answer if files else None, failures=len(trouble.errors))
        figures.add(republished=len(repaired), left=left, swept=swept, **dict(verdicts))
    outcomes = [
        Outcome(
            one.recorded.slot,
            one.recorded.folder.delivery.revision,
            one.certificate,
            one.recorded.slot in repaired,
        )
        for one in found
    ]
    return Certification(outcomes, shown.answer if files else None, trouble.errors, left)


def by_day(request: Request, run: Run) -> list[Request]:
    """The request, cut into one for each dataset and day where it is about more than LONGEST hours."""
    window = request.window or look_back(run)
    if len(window) <= LONGEST:
        return [request]
    days: dict[date, list[Window]] = {}
    for hour in window.hours():
        days.setdefault(hour.start.date(), []).append(hour)
    windows = [Window(hours[0].start, hours[-1].end) for hours in days.values()]
    return [replace(request, datasets=(name,), window=window) for window in windows for name in request.datasets]


def look_back(run: Run) -> Window:
    """The hours that are due: an hour is given one hour to be delivered."""
    end = Window.last_full_hour_before(run.now()).start
    return Window(end - timedelta(hours=run.settings.look_back_hours), end)


def _waiting(request: Request, run: Run) -> dict[str, Waiting]:
    """The rows in quarantine, which the log tells of; nothing where they cannot be counted. Raises OutOfTime."""
    try:
        found = run.source.waiting()
    except SourceUnavailable as error:
        log.emit("rows.uncounted", error.message, code=error.code)
        return {}
    for name, one in found.items():
        if one.rows and name in request.datasets:
            run.alarm("rows.waiting", f"{one}.", dataset=name, rows=one.rows)
    return found


def _looked_at(
    name: str, waiting: Mapping[str, Waiting], window: Window, *, asked: bool, run: Run, trouble: _Trouble
) -> _Source:
    """One look at the hours of a dataset that are to be shared, and at those that an earlier look should have been at.

    The records come first: what is delivered after they were read is not looked for at the partner. Of hours that were
    `asked` for, all columns are read."""
    due = _due(run.records.folders(name, window).values(), run, trouble)
    since = 1 if asked else hours_since_look(due, window.end)
    if not asked:
        due += _left(name, window, since, run, trouble)
    ready = run.source.readiness(run.dataset(name))
    archive: dict[str, StoredObject] = {}
    for day in sorted({one.slot.window.start.date() for one in due}):
        archive |= run.archive.listed(f"{name}/{day:%Y/%m/%d}/")
    counted = count(due, window, ready.snapshot, run, since=since, everything=asked)
    return _Source(ready, waiting.get(name), counted, archive, due)


def _left(name: str, window: Window, since: int, run: Run, trouble: _Trouble) -> list[Recorded]:
    """Hours that have left the look-back: those that no look was the last one at, as none happened, and those of which
    something was sent since they were certified last, as the last look had them sent again."""
    before = run.records.folders(name, Window(window.start - MOST_MISSED * HOUR, window.start))
    missed = window.start - (since - 1) * HOUR
    wanted = [
        one
        for slot, one in before.items()
        if one.is_sent_uncertified or (slot.window.start >= missed and one.latest.certified_at)
    ]
    return [one for one in _due(wanted, run, trouble) if one.plan]


def _due(folders: Iterable[SlotFolder], run: Run, trouble: _Trouble) -> list[Recorded]:
    """The hours that are to be shared: by the contract, and from its first hour on, see Run.first_hour."""
    with background.pool("certify", WORKERS) as workers:
        results = workers.map(lambda one: trouble.caught(lambda some: read(some, run), one, one.slot), folders)
        recorded = [one for one in results if one is not None]
    unplanned = next((one.slot.dataset for one in recorded if one.plan is None), None)
    first = run.first_hour(unplanned) if unplanned else None
    return [
        one
        for one in recorded
        if one.plan or one.lost or (first and one.slot.window.start >= first and one.contract.covers(one.slot.window))
    ]


def _judged(source: _Source, shown: Shown, request: Request, run: Run, trouble: _Trouble) -> list[Judged]:
    """The slots of one dataset, judged; what is new is recorded and told."""

    def work(one: Recorded) -> Judged:
        now = recount(one.slot, one.plan, one.previous, source.counted, source.ready, run)
        found, at_partner = evidence(one, now, source.archive, shown, run, full=request.full)
        made = judged(one, now, found, judge(found), at_partner, shown, source.waiting, run.now(), full=request.full)
        if made.is_news:
            _announce(made, run)
        if made.is_news or made.is_first_comparison:
            one.folder.add_certificate(made.certificate)
        return made

    with background.pool("certify", WORKERS) as workers:
        results = workers.map(lambda one: trouble.caught(work, one, one.slot), source.recorded)
        return [made for made in results if made is not None]


def _announce(made: Judged, run: Run) -> None:
    """Log the verdict's event; before the certificate is recorded, so that it is never lost."""
    revision = made.recorded.folder.delivery.revision
    if made.is_newly_overdue and made.recorded.slot.window.start >= look_back(run).start:
        message = f"{made.recorded.slot} is {made.verdict}: promised {made.recorded.contract.promise}."
        run.alarm("delivery.overdue", message, revision=revision, in_time=False)
    if not made.is_alarming:
        return
    event = STATES[made.verdict].event
    assert event is not None, "every verdict that is recorded has an event"
    certificate = made.certificate
    run.alarm(
        event,
        "; ".join(certificate.problems) or None,
        revision=revision,
        rows=certificate.rows_now,
        rows_planned=certificate.rows_planned,
        partner=certificate.partner,
    )


def _repaired(found: list[Judged], run: Run, trouble: _Trouble) -> tuple[set[Slot], int]:
    """What was published again, the most urgent of all datasets first; how many MAX_REPUBLISH left."""
    published: set[Slot] = set()
    left = 0
    for one in sorted(found, key=urgency, reverse=True):
        if len(published) == run.settings.max_republish:
            left += needs_repair(one, run)
        elif trouble.caught(lambda one: repair(one, run), one, one.recorded.slot):
            published.add(one.recorded.slot)
    return published, left
