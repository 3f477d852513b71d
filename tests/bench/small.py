"""The small hour, which is nearly every hour: what a thousand rows, no rows, and a cold start take."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from localcloud import sampledata
from localcloud.deployment import LocalDeployment
from localcloud.function import Function
from pipeline.window import Window
from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment, deliver, serving, sweep

ROWS: Final = 1_000
GOALS: Final = {"rows": 1.0, "empty": 0.3, "cold": 2.0}
EMPTY: Final = "import functions_framework\n\n\n@functions_framework.cloud_event\ndef handle(event): ...\n"
"""A function that does nothing: what the framework and its server cost by themselves."""


def run(options: Options) -> Iterator[Figure]:
    """Seconds warm and cold, with the deployed contract; jobs and bytes billed of one hour."""
    samples = max(options.runs, 5)
    with bench_deployment(options, "small", narrow=False) as deployment:
        full, none = data.hour(0), data.hour(1)
        dataset = deployment.datasets["payments"]
        deployment.tables.load(dataset.table, sampledata.rows(dataset, full, ROWS, outside=0.0))
        deployment.tables.complete(["payments"], full.end)
        with serving(deployment, options) as function:
            for window in (full, none):
                deliver(function, window, "payments")
            rows, rest = _samples(deployment, function, full, samples)
            empty, _ = _samples(deployment, function, none, samples)
        yield Figure("small", f"{ROWS:,} rows, warm", "s", rows, goal=GOALS["rows"])
        yield Figure("small", f"{ROWS:,} rows, warm, without the plan's queries", "s", rest)
        yield Figure("small", "no rows, warm", "s", empty, goal=GOALS["empty"], note="two queries and a record")
        yield from _cold(deployment, options)
        yield from _billed(deployment, options, full)


def _samples(
    deployment: LocalDeployment, function: Function, window: Window, count: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    found = [deliver(function, window, "payments") for _ in range(count)]
    sweep(deployment)
    return tuple(one.seconds for one in found), tuple(one.seconds - one.stages["plan"] for one in found)


def _cold(deployment: LocalDeployment, options: Options) -> Iterator[Figure]:
    """From the start of a process to its first answer, beside a function that does nothing; then the first hour."""
    bare = options.directory / "small" / "bare" / "main.py"
    bare.parent.mkdir()
    bare.write_text(EMPTY)
    _compile(options.python)
    ours, theirs, first = [], [], []
    for _ in range(options.runs):
        began = time.monotonic()
        with serving(deployment, options, name="cold") as function:
            ours.append(time.monotonic() - began)
            first.append(deliver(function, data.hour(1), "payments").seconds)
        theirs.append(_bare(deployment, options, bare))
    beyond = tuple(mine - other for mine, other in zip(ours, theirs, strict=True))
    yield Figure("small", "cold start to the first answer", "s", tuple(ours), tuple(theirs), "a function of nothing")
    yield Figure("small", "cold start beyond the framework's own", "s", beyond)
    whole = tuple(start + request for start, request in zip(ours, first, strict=True))
    yield Figure("small", "cold start and an empty hour", "s", whole, goal=GOALS["cold"])


def _compile(python: str) -> None:
    """Have the packages' bytecode at hand, as an image has: without it every start compiles 3,000 files, in 2 s."""
    found = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    packages = Path(found.stdout.strip())
    subprocess.run([python, "-m", "compileall", "-q", str(packages)], stdout=subprocess.DEVNULL, check=False)


def _bare(deployment: LocalDeployment, options: Options, source: Path) -> float:
    began = time.monotonic()
    function = Function({}, deployment.cloud.root / "logs" / "bare.log", source=source, python=options.python)
    try:
        function.start()
        return time.monotonic() - began
    finally:
        function.stop()


def _billed(deployment: LocalDeployment, options: Options, window: Window) -> Iterator[Figure]:
    with serving(deployment, options) as function:
        since = datetime.now(UTC)
        deliver(function, window, "payments")
    jobs = [job for job in deployment.tables.client.list_jobs() if job.created >= since]
    billed = sum(job.total_bytes_billed or 0 for job in jobs) / 2**20
    note = "BigQuery bills ten megabytes a table at least; partitions keep it there"
    yield Figure("small", "queries of one hour and dataset", "queries", (float(len(jobs)),))
    yield Figure("small", "billed for one hour and dataset", "MiB", (billed,), note=note)
