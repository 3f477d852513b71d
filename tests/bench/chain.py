"""What a user waits for: seconds from the message to `delivered`, beside the ways in which people do this today.

Ours queries (three times: ready, count, extract), checks every row, archives CSV and sealed file, opens the sealed file
again, and sends what was archived. The others query once at most, store once at most and check nothing. All services
are as far away as in the cloud, and all ways use the same gpg with the same options.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from localcloud.distance import NONE, Distance
from pipeline.window import Window
from tests.bench import airflow, data
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment, deliver, serving, sweep
from tests.bench.peers import RCLONE, Peer, peer
from tests.bench.watching import worked
from tests.terraform import cost
from tests.terraform.cost import Counted, Way

SMALL: Final = {"an empty hour": 0, "1,000 rows": 1_000}
OURS, STAGED, SHELL, CLONE, OPERATORS = "ours", "script", "gpg, sftp", "gpg, rclone", "Airflow"
LARGE: Final = 500
"""Megabytes beyond which only ours and the shell are measured, once: pandas would hold 2 GB in more than 16 GB."""

PROCESSOR: Final = "the function with all its processes; theirs queries, checks, archives and opens nothing"
PROCESSORS: Final = {
    SHELL: PROCESSOR,
    CLONE: PROCESSOR,
    STAGED: "each with all its processes; theirs checks and opens nothing",
    OPERATORS: "each with all its processes; theirs checks and opens nothing, and has no scheduler",
}
DOLLARS: Final = (
    "the guide's volume and prices; each as if in the function, for seconds in proportion to these; ours "
    "archives twice, certifies and alerts"
)
UP: Final = "; Airflow's scheduler, web server and database, which are up all month, are left out"

WAYS: Final[Mapping[str, Way]] = {
    OURS: cost.OURS,
    STAGED: Way(0, Counted(class_a=1, class_b=0, secrets=0, scanned=1), csv=0, sealed=1, certifies=False),
    SHELL: Way(0, cost.NOTHING, csv=0, sealed=0, certifies=False),
    CLONE: Way(0, cost.NOTHING, csv=0, sealed=0, certifies=False),
    OPERATORS: Way(0, Counted(class_a=2, class_b=2, secrets=0, scanned=1), csv=1, sealed=1, certifies=False),
}
"""What each asks of the cloud for a delivery, and keeps; the seconds are measured."""

NARROWEST: Final = "the slowest of line, gpg and instance network alone; nothing may leave before all of it is sealed"
LOOPBACK: Final = "nothing is far: the work alone, which the cloud never shows"


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of one run, of processor time in it, and of its gpg where that ran alone."""

    seconds: float
    processor: float
    gpg: float = 0.0


def run(options: Options) -> Iterator[Figure]:
    """A figure for each size and way; processor time beside the shell's; then one size with nothing at a distance."""
    sizes = ({} if options.only_sizes else SMALL) | {
        f"{size:,} MB": size * 1_000_000 // data.ROW_BYTES for size in options.sizes
    }
    for label, rows in sizes.items():
        yield from _figures(options, label, rows, _samples(options, rows))
    if not options.quick and not options.only_sizes:
        rows = 100 * 1_000_000 // data.ROW_BYTES
        near = _samples(options, rows, distance=NONE, ways=(STAGED, SHELL))
        yield _figure("100 MB on loopback", near, STAGED, goal=3.0, note=LOOPBACK)
        yield _processor("100 MB on loopback", near)


def _samples(
    options: Options, rows: int, *, distance: Distance | None = None, ways: tuple[str, ...] = ()
) -> dict[str, list[Taken]]:
    """What each way took, sample by sample; the ways take turns."""
    window, size = data.hour(0), rows * data.ROW_BYTES / 1e6
    with ExitStack() as ending:
        deployment = ending.enter_context(bench_deployment(options, "chain", distance=distance))
        theirs = ending.enter_context(peer(deployment, options.directory / "chain" / "peer"))
        data.fill(deployment, data.hour(1), 1_000)
        data.fill(deployment, window, rows)
        theirs.write_csv(window)
        function = ending.enter_context(serving(deployment, options))
        assert function.process is not None
        pid = function.process.pid

        def ours() -> Taken:
            before = worked(pid)
            seconds = deliver(function, window, "payments").seconds
            return Taken(seconds, worked(pid) - before)

        known: dict[str, Callable[[], Taken]] = {
            OURS: ours,
            SHELL: lambda: _own(theirs.shell),
            STAGED: lambda: _own(lambda: theirs.staged(window)),
        }
        if size > LARGE:
            ways = (SHELL,)
        elif not ways:
            ways = (STAGED, SHELL, *_installed(known, theirs, window, ending))
        deliver(function, data.hour(1), "payments")
        found: dict[str, list[Taken]] = {way: [] for way in (OURS, *ways)}
        for _ in range(1 if size > LARGE else options.runs):
            for way, samples in found.items():
                samples.append(known[way]())
            sweep(deployment)
    return found


def _installed(known: dict[str, Callable[[], Taken]], theirs: Peer, window: Window, ending: ExitStack) -> Iterator[str]:
    """The ways with programs of others: named with the command that installs them where they are missing."""
    if shutil.which("rclone"):
        known[CLONE] = lambda: _own(theirs.rclone)
        yield CLONE
    else:
        print(f"  rclone is not installed, and not measured. Please run: sudo {RCLONE}")
    operators = ending.enter_context(airflow.operators(theirs))
    query = airflow.query(theirs, window)
    operators.deliver(query)  # its first connections
    known[OPERATORS] = lambda: Taken(*operators.deliver(query))
    yield OPERATORS


def _own(way: Callable[[], dict[str, float]]) -> Taken:
    """What a way takes that runs in this process and in children that are waited for."""
    began, before = time.monotonic(), _worked_here()
    steps = way()
    return Taken(time.monotonic() - began, _worked_here() - before, steps["gpg"])


def _worked_here() -> float:
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _figures(options: Options, label: str, rows: int, found: dict[str, list[Taken]]) -> Iterator[Figure]:
    goals = {STAGED: 3.0 if rows > 1_000 else None}
    for way in found:
        if way != OURS:
            yield _figure(label, found, way, goal=goals.get(way))
    if rows > 1_000:
        for way in found:
            if way != OURS:
                yield _processor(label, found, way)
        for way in found:
            if way != OURS:
                yield _dollars(label, rows, found, way)
        yield _narrowest(options.distance, label, rows, found)


def _figure(label: str, found: dict[str, list[Taken]], way: str, goal: float | None = None, note: str = "") -> Figure:
    ours, theirs = (tuple(taken.seconds for taken in found[one]) for one in (OURS, way))
    return Figure("chain", f"{label}, {way}", "s", ours, theirs, way, goal=goal, note=note)


def _processor(label: str, found: dict[str, list[Taken]], way: str = SHELL) -> Figure:
    """Ours beside the shell's, of which the goal is, or beside another's."""
    ours, theirs = (tuple(taken.processor for taken in found[one]) for one in (OURS, way))
    name, goal = (f"{label}, processor time", 0.5) if way == SHELL else (f"{label}, processor time, {way}", None)
    return Figure("chain", name, "s", ours, theirs, way, goal=goal, note=PROCESSORS[way])


def _dollars(label: str, rows: int, found: dict[str, list[Taken]], way: str) -> Figure:
    """A month at the guide's volume, worked out from the seconds of each sample."""
    scale = cost.BYTES_AN_HOUR / (rows * data.ROW_BYTES)
    ours, theirs = (
        tuple(cost.month(replace(WAYS[one], seconds=taken.seconds * scale)) for taken in found[one])
        for one in (OURS, way)
    )
    note = DOLLARS + (UP if way == OPERATORS else "")
    return Figure("chain", f"{label}, dollars a month, {way}", "dollars", ours, theirs, way, note=note)


def _narrowest(distance: Distance, label: str, rows: int, found: dict[str, list[Taken]]) -> Figure:
    """Ours beside what the narrowest part takes alone; the shell's gpg and its put are what was measured of two."""
    sent = tuple(max(taken.gpg, taken.seconds - taken.gpg) for taken in found[SHELL])
    network = rows * data.ROW_BYTES / distance.egress_rate if distance.egress_rate else 0.0
    alone = tuple(max(seconds, network) for seconds in sent)
    ours = tuple(taken.seconds for taken in found[OURS])
    return Figure("chain", f"{label}, the narrowest part", "s", ours, alone, "alone", goal=1 / 1.15, note=NARROWEST)
