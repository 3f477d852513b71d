"""Where every delivery stands: pure, from what the records tell and the time of day to a grid for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from pipeline.clients.counts import Waiting
from pipeline.records.sentences import rejection
from pipeline.states import STATES, StateName
from pipeline.status.history import History
from pipeline.status.next_step import told
from pipeline.window import HOUR, Slot, Window, rfc3339

_UNTIL_DELIVERED: Final[tuple[StateName, ...]] = (
    "missing",
    "stalled",
    "vanished",
    "source not ready",
    "partner mismatch",
    "refused",
    "rejected by partner",
)
"""Verdicts that a later delivery answers; any other verdict stands until certify gives another."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Where one slot stands: rows as planned, bytes of CSV and of the sealed files, seconds from plan to partner, and
    how long after the window's end every part was first at the partner, of whichever revision: a revision because of
    rows that came late makes no window late that was there in time.

    None stands where that is not known yet. `problems` are the sentences of the last certificate, or of what is wrong;
    `waiting` are the rows in quarantine that the hour lacked when it was certified last.
    """

    slot: Slot
    state: StateName
    revision: int
    rows: int | None = None
    bytes: int | None = None
    sealed_bytes: int | None = None
    seconds: float | None = None
    late: timedelta | None = None
    problems: tuple[str, ...] = ()
    waiting: Waiting | None = None
    certified: datetime | None = None

    @property
    def well(self) -> bool:
        """Nobody need look at it."""
        return not STATES[self.state].needs_attention

    def as_json(self) -> dict[str, object]:
        """As `--json` shows it."""
        return {
            "dataset": self.slot.dataset,
            "start": rfc3339(self.slot.window.start),
            "end": rfc3339(self.slot.window.end),
            "state": self.state,
            "revision": self.revision,
            "rows": self.rows,
            "bytes": self.bytes,
            "sealed_bytes": self.sealed_bytes,
            "seconds": self.seconds,
            "late_seconds": None if self.late is None else self.late.total_seconds(),
            "problems": list(self.problems),
            "waiting": self.waiting.as_json() if self.waiting else None,
        }


def cell(history: History, now: datetime) -> Cell:
    """Where the slot of this history stands."""
    state, problems = _state(history, now)
    return Cell(
        slot=history.slot,
        state=state,
        revision=history.revision,
        rows=None if history.plan is None else history.plan.rows,
        bytes=sum(sealed.csv.size for sealed in history.sealed) if history.sealed else None,
        sealed_bytes=sum(sealed.sealed.size for sealed in history.sealed) if history.sealed else None,
        seconds=_seconds(history),
        late=_late(history),
        problems=problems,
        waiting=history.certificate.waiting if history.certificate else None,
        certified=history.certificate.created if history.certificate else None,
    )


def grid(histories: Iterable[History], now: datetime) -> dict[datetime, dict[str, Cell]]:
    """The cells by the start of their hour, latest first, and by dataset."""
    rows: dict[datetime, dict[str, Cell]] = {}
    for history in histories:
        rows.setdefault(history.slot.window.start, {})[history.slot.dataset] = cell(history, now)
    return dict(sorted(rows.items(), reverse=True))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Hours in a row of one dataset that need attention for the same reason."""

    dataset: str
    window: Window
    state: StateName
    problems: tuple[str, ...]


def troubles(rows: Mapping[datetime, Mapping[str, Cell]]) -> list[Trouble]:
    """What needs attention in a grid, dataset by dataset, earliest first."""
    wrong = sorted(
        (cell for row in rows.values() for cell in row.values() if not cell.well), key=lambda cell: cell.slot
    )
    found: list[Trouble] = []
    for cell in wrong:
        trouble = Trouble(cell.slot.dataset, cell.slot.window, cell.state, cell.problems)
        last = found[-1] if found else None
        if (
            last is not None
            and replace(last, window=trouble.window) == trouble
            and last.window.end == trouble.window.start
        ):
            found[-1] = replace(last, window=Window(last.window.start, trouble.window.end))
        else:
            found.append(trouble)
    return found


def waiting(rows: Mapping[datetime, Mapping[str, Cell]]) -> dict[str, Waiting]:
    """The rows in quarantine by dataset, as the certificate of the latest hour that has one says."""
    found: dict[str, Waiting | None] = {}
    for start in sorted(rows, reverse=True):
        for name, one in rows[start].items():
            if one.certified:
                found.setdefault(name, one.waiting)
    return {name: one for name, one in sorted(found.items()) if one}


def would(history: History, *, resend: bool, revise: bool) -> str:
    """What publishing the slot's window again would do, by the rules of `plan` and `send`."""
    latest, state = history.revision, _progress(history)
    if history.damage:
        return "nothing: a record is damaged" if not revise else f"extract revision {latest + 1} anew and send it"
    if not latest:
        return "plan revision 1 and send it"
    if revise or (state == "refused" and not resend):
        return f"extract revision {latest + 1} anew and send it"
    if state == "refused":
        return f"nothing: revision {latest} was refused"
    if state == "empty":
        return "nothing: recorded as empty"
    if state == "delivered":
        return f"send the sealed bytes of revision {latest} again" if resend else "nothing: delivered before"
    return f"go on with revision {latest}, which is {state}"


def _state(history: History, now: datetime) -> tuple[StateName, tuple[str, ...]]:
    certificate, progress = history.certificate, _progress(history)
    if history.damage:
        return "archive mismatch", history.damage
    if (
        progress == "delivered"
        and history.rejected
        and (certificate is None or STATES[certificate.verdict].severity != "CRITICAL")
    ):
        return "rejected by partner", _rejections(history)
    if certificate is not None:
        delivered = max((delivered.created for delivered in history.delivered), default=None)
        answered = certificate.verdict in _UNTIL_DELIVERED and (
            progress == "empty" or (delivered is not None and delivered > certificate.created)
        )
        if not answered:
            return certificate.verdict, told(certificate.problems) or history.broken
    begun = history.plan.created if history.plan else now
    if progress in ("planned", "sealed") and now >= max(begun, history.slot.window.end) + HOUR:
        return "stalled", _why(history)
    if progress != "nothing":
        return progress, history.broken
    if not history.due:
        return "not due", ()
    if now < history.slot.window.end + HOUR:
        return "awaited", ()
    return "missing", _why(history) or ("nothing is recorded for the hour",)


def _rejections(history: History) -> tuple[str, ...]:
    """What the partner rejected, the first error of each part."""
    sent = {delivered.part: delivered.file_name for delivered in history.delivered}
    first = {record.part: record for record in reversed(history.rejected)}
    return tuple(rejection(sent[part], record) for part, record in sorted(first.items()))


def _why(history: History) -> tuple[str, ...]:
    """What the last attempt failed with."""
    failure = history.failure
    return (f"the last attempt failed: {failure.code}, {failure.reason}",) if failure else ()


def _progress(history: History) -> Literal["nothing", "empty", "refused", "delivered", "sealed", "planned"]:
    """How far the latest revision came."""
    plan = history.plan
    if plan is None:
        return "nothing"
    if plan.empty:
        return "empty"
    if history.refused:
        return "refused"
    parts = {part.part for part in plan.parts}
    if parts <= {record.part for record in history.delivered}:
        return "delivered"
    return "sealed" if parts <= {record.part for record in history.sealed} else "planned"


def _seconds(history: History) -> float | None:
    """From the plan until every part was at the partner for the first time."""
    complete = _complete(history)
    return None if complete is None or history.plan is None else (complete - history.plan.created).total_seconds()


def _late(history: History) -> timedelta | None:
    """From the window's end until every part of a revision was at the partner for the first time."""
    complete = history.arrived or _complete(history)
    return None if complete is None else complete - history.slot.window.end


def _complete(history: History) -> datetime | None:
    """When every part was at the partner for the first time; None where one is not."""
    latest_first = sorted(history.delivered, key=lambda delivered: delivered.created, reverse=True)
    first = {delivered.part: delivered.created for delivered in latest_first}
    if history.plan is None or not first or len(first) < len(history.plan.parts):
        return None
    return max(first.values())
