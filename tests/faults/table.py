"""The fault table: what is broken in each step, in which way, and how the function must say it. Data, no tests.

    before  an error before the first byte         hang  no answer, ever
    middle  an error when a part has passed        kill  SIGKILL while the step has begun and cannot end
    end     an error when everything has passed    lost  done, but the answer is lost

A cell's `codes` are those of `run.failed`; none means that the very attempt recovers and is acknowledged. `NOTHING`
says where a combination has no meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from localcloud.partner.faults import Action, Fault, OperationName
from tests.faults.harness import AMPLE, BUDGET, FaultHarness

WAYS: Final = ("before", "middle", "end", "hang", "kill", "lost")
ALWAYS: Final = 10_000
FEW, MANY = 40, 82_000
"""Rows of a window: MANY are three pieces of 8 MiB, as CSV and as sealed file, and several messages of a stream."""
FIVE_MB: Final = 5_000_000

Break = Callable[[FaultHarness], None]
Reached = Callable[[FaultHarness], bool]


@dataclass(frozen=True)
class Cell:
    """One combination; `reached` says (for kill) that the step is under way."""

    step: str
    way: str
    broken: Break
    codes: tuple[str, ...] = ()
    rows: int = FEW
    budget: int = AMPLE
    publish: str = "direct"
    reached: Reached = lambda harness: harness.cloud.storage_struck()

    def __str__(self) -> str:
        return f"{self.step.replace(' ', '_')}-{self.way}"


ONE_RECORD: Final = "a record is one small request: it is done or not, and `before`, `hang`, `kill`, `lost` say all"
NO_EFFECT: Final = "it has no effect that an answer could be lost about"

NOTHING: Final = {
    ("plan", "end"): "counting ends with the plan's record: `middle` is that record refused, `lost` its answer",
    ("check", "hang"): "checking is computation on rows that are here; what can hang is their coming: extract",
    ("check", "kill"): "every batch is checked as it comes: a kill of extract is a kill of check",
    ("check", "lost"): "nobody is asked",
    **{("record sealed", way): ONE_RECORD for way in ("middle", "end")},
    **{("record delivered", way): ONE_RECORD for way in ("middle", "end")},
    **{("connect", way): "a connection is there or not" for way in ("middle", "end")},
    ("connect", "lost"): NO_EFFECT,
    **{("authenticate", way): "a login is accepted or not" for way in ("middle", "end")},
    ("authenticate", "lost"): NO_EFFECT,
    **{("confirm", way): "one question, one answer" for way in ("middle", "end")},
    **{("rename", way): "a name is changed at one stroke" for way in ("middle", "end")},
    ("publish", "end"): "publishing ends with its confirmation: `lost`",
}


def cells() -> Iterator[Cell]:
    """Every cell that means something."""
    yield from _plan()
    yield from _extract()
    yield from _archive("archive CSV", "csv", session=0)
    yield from _gpg("encrypt", "--sign", "seal-failed")  # trials of keys encrypt too, and sign nothing
    yield from _gpg("reopen", "--decrypt", "opened-differs")
    yield from _archive("archive sealed", "csv\\.pgp", session=1)
    yield from _record("record sealed", "sealed")
    yield from _read_archive()
    yield from _partner()
    yield from _record("record delivered", "delivered")
    yield from _publish()


def _plan() -> Iterator[Cell]:
    refused = _storage(_creates("plan"), "error", status=403)
    lost = _storage(_creates("plan"), "lose")
    late = ("source-unavailable", "out-of-time")
    yield Cell("plan", "before", _warehouse("jobs.query", "error", times=ALWAYS), late, budget=BUDGET)
    yield Cell("plan", "middle", refused, ("archive-unavailable",))
    yield Cell("plan", "hang", _warehouse("jobs.query", "hang", times=ALWAYS), late, budget=BUDGET)
    yield Cell("plan", "kill", _warehouse("jobs.query", "hang", times=ALWAYS), reached=_emitted("plan.started"))
    yield Cell("plan", "lost", lost)


def _extract() -> Iterator[Cell]:
    late = ("source-unavailable", "out-of-time")
    refused = _warehouse("CreateReadSession", "error", times=ALWAYS)
    stalled = _warehouse("ReadRows", "hang", after=5)
    yield Cell("extract", "before", refused, late, budget=BUDGET)
    yield Cell("extract", "middle", _warehouse("ReadRows", "error", after=3), rows=MANY)
    yield Cell("extract", "end", _warehouse("ReadRows", "error", after=-1), rows=MANY)
    yield Cell("extract", "hang", stalled, ("out-of-time",), rows=MANY, budget=BUDGET)
    under_way = _warehouse("ReadRows", "hang", after=8)  # messages are joined to frames: so many are two of 8 MB
    yield Cell("extract", "kill", under_way, rows=2 * MANY, reached=_uploading)
    yield Cell("extract", "lost", _warehouse("CreateReadSession", "error", after=-1))
    for way, missing in (("before", 0), ("middle", 2), ("end", 5)):
        broken = _warehouse("ReadRows", "wrong-rows", after=missing)
        yield Cell("check", way, broken, ("source-changed",), rows=MANY)


def _archive(step: str, suffix: str, *, session: int) -> Iterator[Cell]:
    begin, piece = r"POST .*/b/archive/o.*uploadType=(multipart|resumable)", rf"PUT .*\.{suffix}&"
    late = ("archive-unavailable", "out-of-time")
    yield Cell(step, "before", _storage(begin, "error", skip=session, status=403), ("archive-unavailable",))
    for way, skip in (("middle", 1), ("end", 2)):
        broken = _storage(piece, "error", skip=skip, status=403)
        yield Cell(step, way, broken, ("archive-unavailable",), rows=MANY)
    yield Cell(step, "hang", _storage(piece, "hang", skip=1), late, rows=MANY, budget=BUDGET)
    yield Cell(step, "kill", _storage(piece, "hang", skip=1), rows=MANY)
    yield Cell(step, "lost", _storage(piece, "lose", skip=2), rows=MANY)


def _gpg(step: str, operation: str, code: str) -> Iterator[Cell]:
    def order(action: str, after: int = 0) -> Break:
        return lambda harness: harness.gpg.order(operation, action, after)  # type: ignore[arg-type]

    yield Cell(step, "before", order("die"), (code,))
    yield Cell(step, "middle", order("die", FIVE_MB), (code,), rows=MANY)
    yield Cell(step, "end", order("fail"), (code,))
    yield Cell(step, "hang", order("hang", FIVE_MB), ("out-of-time",), rows=MANY, budget=BUDGET)
    yield Cell(step, "kill", order("hang", FIVE_MB), rows=MANY, reached=lambda harness: harness.gpg.struck)
    yield Cell(step, "lost", order("mute"), (code,))


def _record(step: str, record: str) -> Iterator[Cell]:
    request = _creates(record)
    late = ("archive-unavailable", "out-of-time")
    refused = _storage(request, "error", status=403)
    yield Cell(step, "before", refused, ("archive-unavailable",))
    yield Cell(step, "hang", _storage(request, "hang", times=ALWAYS), late, budget=BUDGET)
    yield Cell(step, "kill", _storage(request, "hang"))
    yield Cell(step, "lost", _storage(request, "lose"))


def _read_archive() -> Iterator[Cell]:
    request = r"GET .*/o/.*\.pgp.*alt=media"
    late = ("archive-unavailable", "out-of-time")
    for way, skip, rows in (("before", 0, FEW), ("middle", 1, MANY), ("end", 2, MANY)):
        refused = _storage(request, "error", skip=skip, status=403)
        yield Cell("read archive", way, refused, ("archive-unavailable",), rows=rows)
    yield Cell("read archive", "hang", _storage(request, "hang", skip=1, times=ALWAYS), late, rows=MANY, budget=BUDGET)
    yield Cell("read archive", "kill", _storage(request, "hang", skip=1), rows=MANY)
    yield Cell("read archive", "lost", _storage(request, "truncate", skip=1), rows=MANY)


def _partner() -> Iterator[Cell]:
    gone, late = ("partner-unavailable", "partner-refused"), ("out-of-time",)
    silent = (*gone, *late)

    def order(operation: OperationName, action: Action, after: int = 0, times: int = 1) -> Break:
        return lambda harness: harness.cloud.break_partner(Fault(operation, action, after, times))

    yield Cell("connect", "before", order("connect", "error"), gone)
    yield Cell("connect", "hang", order("connect", "hang", times=ALWAYS), silent, budget=BUDGET)
    yield Cell("connect", "kill", order("connect", "hang"), reached=_asked("connect"))
    yield Cell("authenticate", "before", order("auth", "error"), ("partner-refused",))
    yield Cell("authenticate", "hang", order("auth", "hang", times=ALWAYS), silent, budget=BUDGET)
    yield Cell("authenticate", "kill", order("auth", "hang"), reached=_asked("connect"))
    yield Cell("upload", "before", order("open", "error"), gone)
    yield Cell("upload", "middle", order("write", "error", FIVE_MB), gone, rows=MANY)
    yield Cell("upload", "end", order("close", "error"), gone)
    yield Cell("upload", "hang", order("write", "hang", FIVE_MB), late, rows=MANY, budget=BUDGET)
    yield Cell("upload", "kill", order("write", "hang", FIVE_MB), rows=MANY, reached=_arriving)
    yield Cell("upload", "lost", order("close", "lose"), gone)
    yield Cell("confirm", "before", order("stat", "error"), gone)
    yield Cell("confirm", "hang", order("stat", "hang"), late, budget=BUDGET)
    yield Cell("confirm", "kill", order("stat", "hang"), reached=_asked("close"))
    yield Cell("confirm", "lost", order("stat", "lose"), gone)
    yield Cell("rename", "before", order("rename", "error"), gone, publish="rename")
    yield Cell("rename", "hang", order("rename", "hang"), late, publish="rename", budget=BUDGET)
    yield Cell("rename", "kill", order("rename", "hang"), publish="rename", reached=_asked("stat"))
    yield Cell("rename", "lost", order("rename", "lose"), gone, publish="rename")


def _publish() -> Iterator[Cell]:
    late = ("topic-unavailable", "out-of-time")

    def order(action: str, **more: int) -> Break:
        return lambda harness: harness.cloud.break_topics({"match": "Publish", "action": action, **more})

    yield Cell("publish", "before", order("error", times=ALWAYS), late, budget=BUDGET)
    yield Cell("publish", "middle", order("error", skip=1, times=ALWAYS), late, budget=BUDGET)
    yield Cell("publish", "hang", order("hang", times=ALWAYS), late, budget=BUDGET)
    yield Cell("publish", "kill", order("hang", times=ALWAYS), reached=_emitted("fanout.started"))
    yield Cell("publish", "lost", order("lose"))


def _creates(record: str) -> str:
    """The request that creates a record of this kind: a process's first plan creates the contracts before it."""
    return rf"POST .*/b/records/o.*/{record}[^/]*\.json$"


def _storage(match: str, action: str, **more: int) -> Break:
    return lambda harness: harness.cloud.break_storage(match, action, **more)


def _warehouse(match: str, action: str, **more: int) -> Break:
    return lambda harness: harness.cloud.break_warehouse(match, action, **more)


def _emitted(event: str) -> Reached:
    return lambda harness: event in harness.event_names()


def _asked(operation: str) -> Reached:
    return lambda harness: operation in harness.operations()


def _uploading(harness: FaultHarness) -> bool:
    """Some of the CSV is in the archive's hands."""
    return any(path.stat().st_size for path in (harness.cloud.root / "buckets" / ".uploads").iterdir())


def _arriving(harness: FaultHarness) -> bool:
    """Some of the sealed file is in the partner's hands, and not visible."""
    return any(path.stat().st_size for path in (harness.cloud.incoming).iterdir())
