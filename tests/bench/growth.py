"""How memory and time grow with the rows, and how many bytes one invocation can carry."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from localcloud.deployment import LocalDeployment
from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment, deliver, serving, sweep
from tests.bench.watching import watched

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
    seconds: float
    cpu: float
    memory: float


def run(options: Options) -> Iterator[Figure]:
    """Memory at each size, seconds for each further million rows, gigabytes in an invocation."""
    sizes = ROWS[:2] if options.quick else (*ROWS, MORE) if options.full else ROWS
    found: dict[int, list[Grown]] = {}
    with bench_deployment(options, "growth") as deployment:
        data.fill(deployment, data.hour(len(sizes)), 1_000)
        for number, rows in enumerate(sizes):
            data.fill(deployment, data.hour(number), rows)
            found[rows] = [_delivered(deployment, options, number, len(sizes), rows) for _ in range(options.runs)]
    yield from _memory(found)
    yield from _seconds(found)
    yield from _in_an_invocation(found[sizes[-1]])


def _memory(found: dict[int, list[Grown]]) -> Iterator[Figure]:
    for rows, grown in found.items():
        memory = tuple(one.memory for one in grown)
        yield Figure("growth", f"memory, {rows:,} rows", "MB", memory, goal=MEMORY_GOAL, note="with its gpgs, at most")
    sizes = list(found)
    for small, large in dict.fromkeys(((sizes[0], sizes[-1]), (sizes[-2], sizes[-1]))):
        times = tuple(more.memory / less.memory for less, more in zip(found[small], found[large], strict=True))
        note = "blocks of megabytes on their way, which a small file does not fill" if small == sizes[0] else ""
        yield Figure("growth", f"memory, {large:,} rows beside {small:,}", "times", times, goal=FLAT, note=note)


def _seconds(found: dict[int, list[Grown]]) -> Iterator[Figure]:
    """What each further million costs, as a small delivery is all keys, connections and queries."""
    before: list[Grown] = []
    slopes: tuple[float, ...] = ()
    for rows, grown in found.items():
        if before:
            steeper = tuple(
                (more.seconds - less.seconds) / (more.rows - less.rows) * 1e6
                for less, more in zip(before, grown, strict=True)
            )
            name = f"each further million rows, {before[0].rows:,} to {rows:,}"
            yield Figure("growth", name, "s", steeper)
            if slopes:
                times = tuple(after / earlier for earlier, after in zip(slopes, steeper, strict=True))
                yield Figure("growth", f"{name}, beside the step before", "times", times, goal=FLAT)
            slopes = steeper
        before = grown


def _in_an_invocation(largest: list[Grown]) -> Iterator[Figure]:
    cores = os.cpu_count() or 1
    wall = tuple(one.bytes / one.seconds * INVOCATION / 1e9 for one in largest)
    bound = tuple(one.bytes / (one.cpu / cores) * INVOCATION / 1e9 for one in largest)
    note = "plan, seal and upload; warehouse, store and partner run on the same cores"
    yield Figure("growth", f"in {INVOCATION} s, as measured", "GB", wall, better="more", goal=BYTES_GOAL, note=note)
    note = f"if the function had its {cores} cores to itself and never waited: its own processor seconds a byte"
    yield Figure("growth", f"in {INVOCATION} s, bound by the processor", "GB", bound, better="more", note=note)


def _delivered(deployment: LocalDeployment, options: Options, number: int, small: int, rows: int) -> Grown:
    with serving(deployment, options) as function:
        deliver(function, data.hour(small), "payments")
        assert function.process is not None
        with watched(function.process.pid) as use:
            done = deliver(function, data.hour(number), "payments")
    sweep(deployment)
    return Grown(rows, done.bytes, done.seconds, use.cpu, use.memory / 1e6)
