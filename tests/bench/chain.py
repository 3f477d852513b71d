"""The whole chain against the staged way, and against the shell that is handed a ready CSV.

Ours queries (three times: ready, count, extract), checks every row, archives CSV and sealed file, opens the sealed file
again, and sends what was archived. The staged way queries once, stores once and checks nothing; the shell only seals
and sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from localcloud.distance import NONE, Distance
from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment, deliver, serving, sweep
from tests.bench.peers import peer
from tests.bench.watching import busy

PLAN: Final = "readiness and count queries, which the local warehouse computes on these cores, are taken off our time"
LOOPBACK: Final = "nothing is far: the work alone, which the cloud never shows"
BUSY: Final = "warehouse, store and partner included; no way is faster than this by the number of cores"
STAGED_MOST: Final = 500
"""Megabytes that pandas is asked to hold: 2 GB of CSV would be more than 16 GB of Python's decimals and texts."""

ROWS_MOST: Final = 10
"""Megabytes that are staged row by row, at some 2 MB/s."""


@dataclass(slots=True)
class Samples:
    """Seconds of each way, in the order in which they were taken; the ways take turns."""

    ours: list[float] = field(default_factory=list)
    beyond_plan: list[float] = field(default_factory=list)
    staged: list[float] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    shell: list[float] = field(default_factory=list)
    ours_busy: list[float] = field(default_factory=list)
    shell_busy: list[float] = field(default_factory=list)


def run(options: Options) -> Iterator[Figure]:
    """A figure for each size and peer; then one size with nothing at a distance."""
    for size in options.sizes:
        samples = _samples(options, size)
        yield from _figures(f"{size} MB", samples)
    size = min(options.sizes) if options.quick else 100
    near = _samples(options, size, distance=NONE)
    yield _figure(f"{size} MB on loopback, staged by pandas", near.ours, near.staged, "staged", note=LOOPBACK)


def _samples(options: Options, size: int, *, distance: Distance | None = None) -> Samples:
    found, window = Samples(), data.hour(0)
    with (
        bench_deployment(options, "chain", distance=distance) as deployment,
        peer(deployment, options.directory / "chain" / "peer") as theirs,
    ):
        data.fill(deployment, data.hour(1), 1_000)
        data.fill(deployment, window, size * 1_000_000 // data.ROW_BYTES)
        with serving(deployment, options) as function:
            deliver(function, data.hour(1), "payments")
            for _ in range(options.runs):
                began = busy()
                delivered = deliver(function, window, "payments")
                found.ours_busy.append(busy() - began)
                found.ours.append(delivered.seconds)
                found.beyond_plan.append(delivered.seconds - delivered.stages["plan"])
                if size <= STAGED_MOST:
                    found.staged.append(sum(theirs.staged(window, "frames").values()))
                else:
                    theirs.write_csv(window)
                began = busy()
                found.shell.append(sum(theirs.shell().values()))
                found.shell_busy.append(busy() - began)
                if size <= ROWS_MOST:
                    found.rows.append(sum(theirs.staged(window, "rows").values()))
                sweep(deployment)
    return found


def _figures(label: str, found: Samples) -> Iterator[Figure]:
    if found.staged:
        yield _figure(f"{label}, staged by pandas", found.ours, found.staged, "staged", goal=3.0)
        yield _figure(f"{label}, staged, plan left out", found.beyond_plan, found.staged, "staged", note=PLAN)
    if found.rows:
        yield _figure(f"{label}, staged row by row", found.ours, found.rows, "staged", goal=3.0)
    yield _figure(f"{label}, shell", found.ours, found.shell, "gpg, sftp", goal=1 / 1.5)
    yield _figure(f"{label}, shell, plan left out", found.beyond_plan, found.shell, "gpg, sftp", note=PLAN)
    name = f"{label}, processor time of the machine"
    yield _figure(name, found.ours_busy, found.shell_busy, "gpg, sftp", note=BUSY)


def _figure(
    name: str, ours: list[float], theirs: list[float], peer_name: str, goal: float | None = None, note: str = ""
) -> Figure:
    return Figure("chain", name, "s", tuple(ours), tuple(theirs), peer_name, goal=goal, note=note)
