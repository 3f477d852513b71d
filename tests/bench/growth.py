"""How memory and time grow with the rows, and how many bytes one invocation can carry."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.ground import Options, deliver, ground, serving, sweep
from tests.bench.watching import watched
from tests.stack.world import World

ROWS: Final = (10_000, 100_000, 1_000_000, 3_000_000)
MORE: Final = 10_000_000
FLAT: Final = 1.15
MEMORY_GOAL: Final = 400.0
INVOCATION: Final = 540
"""Seconds that the platform gives to an event-driven function."""

BYTES_GOAL: Final = 25.0


@dataclass(frozen=True, slots=True)
class Grown:
    """One delivery of so many rows by a process that did nothing before but one small one."""

    rows: int
    bytes: int
    stages: float
    cpu: float
    memory: float


def run(options: Options) -> Iterator[Figure]:
    """Memory at each size, seconds of seal and upload for each further million rows, gigabytes in an invocation."""
    sizes = ROWS[:2] if options.quick else (*ROWS, MORE) if options.full else ROWS
    found: dict[int, list[Grown]] = {}
    with ground(options, "growth") as local:
        data.fill(local, data.hour(len(sizes)), 1_000)
        for number, rows in enumerate(sizes):
            data.fill(local, data.hour(number), rows)
            found[rows] = [_delivered(local, options, number, len(sizes), rows) for _ in range(options.runs)]
    for rows, grown in found.items():
        memory = tuple(one.memory for one in grown)
        yield Figure(
            "growth", f"memory, {rows:,} rows", "MB", memory, goal=MEMORY_GOAL, note="server and gpgs, at most"
        )
    smaller, larger = found[sizes[-2]], found[sizes[-1]]
    growth = tuple(large.memory / small.memory for small, large in zip(smaller, larger, strict=True))
    yield Figure("growth", f"memory, {sizes[-1]:,} rows to {sizes[-2]:,}", "times", growth, goal=FLAT)
    for before, rows in zip((0, *sizes[:-1]), sizes, strict=True):
        slopes = tuple(
            (large.stages - (found[before][run].stages if before else 0)) / (rows - before) * 1e6
            for run, large in enumerate(found[rows])
        )
        yield Figure("growth", f"seal and upload, each million rows, {before:,} to {rows:,}", "s", slopes)
    cores = os.cpu_count() or 1
    wall = tuple(one.bytes / one.stages * INVOCATION / 1e9 for one in larger)
    bound = tuple(one.bytes / (one.cpu / cores) * INVOCATION / 1e9 for one in larger)
    note = "warehouse, store and partner run on the same cores"
    yield Figure("growth", f"in {INVOCATION} s, as measured", "GB", wall, better="more", goal=BYTES_GOAL, note=note)
    note = f"if the function had its {cores} cores to itself and never waited: its own processor seconds a byte"
    yield Figure("growth", f"in {INVOCATION} s, bound by the processor", "GB", bound, better="more", note=note)


def _delivered(local: World, options: Options, number: int, small: int, rows: int) -> Grown:
    with serving(local, options) as function:
        deliver(function, data.hour(small), "payments")
        assert function.process is not None
        with watched(function.process.pid) as use:
            done = deliver(function, data.hour(number), "payments")
    sweep(local)
    stages = done.stages["seal"] + done.stages["upload"]
    return Grown(rows, done.bytes, stages, use.cpu, use.memory / 1e6)
