"""Many hours at once: one message, cut into deliveries by the function itself, spread over its instances by Pub/Sub."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import polars as pl

from localcloud import sampledata
from localcloud.deployment import LocalDeployment
from localcloud.function import Function
from pipeline.window import Window, rfc3339
from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment, serving, sweep
from tests.bench.watching import busy

ROWS: Final = 100
HOURS: Final = {"quick": 2, "default": 20, "full": 720}
MONTH: Final = 720
WORKERS: Final = (1, 2, 4)
FROM: Final = "worked out from the rate; warm instances, hours of the same size"
PATIENCE: Final = 7200.0
POLL: Final = 0.25


def run(options: Options) -> Iterator[Figure]:
    """Deliveries a second with one, two and four instances, each beside one; the minutes of a month at that rate."""
    hours = HOURS["full" if options.full else "quick" if options.quick else "default"]
    rates: dict[int, tuple[float, float]] = {}
    with bench_deployment(options, "backfill", narrow=False) as deployment:
        last = data.hour(0)
        window = Window(last.end - timedelta(hours=hours), last.end)
        for name, dataset in deployment.datasets.items():
            frames = [sampledata.rows(dataset, hour, ROWS, outside=0.0) for hour in window.hours()]
            deployment.tables.load(dataset.table, pl.concat(frames))
            deployment.tables.complete([name], last.end)
        for workers in WORKERS:
            with serving(deployment, options, workers=workers, name=f"backfill-{workers}") as function:
                rates[workers] = _rate(deployment, function, window)
            sweep(deployment)
    for workers, (rate, load) in rates.items():
        note = f"{hours} hours x 3 datasets x {ROWS} rows; the cores, all servers' too, are {load:.0%} busy"
        name = f"{workers} instance{'s' if workers > 1 else ''}"
        one = (rates[1][0],) if workers > 1 else ()
        yield Figure(
            "backfill", name, "deliveries/s", (rate,), one, "1 instance" if one else "", better="more", note=note
        )
        minutes = (MONTH * 3 / rate / 60,)
        yield Figure(
            "backfill", f"{name}, {MONTH} hours x 3 datasets", "min", minutes, note="" if hours == MONTH else FROM
        )


def _rate(deployment: LocalDeployment, function: Function, window: Window) -> tuple[float, float]:
    """Deliveries a second, and how much of all cores was at work."""
    expected = len(window) * len(deployment.datasets)
    deployment.subscribe(function)
    bounds = {"start": rfc3339(window.start), "end": rfc3339(window.end)}
    began, worked = time.monotonic(), busy()
    deployment.publish(json.dumps({"window": bounds, "revise": True}).encode())
    done = 0
    while done < expected:
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"{done} of {expected} deliveries in {PATIENCE:.0f} s")
        time.sleep(POLL)
        done = sum(event["event"] == "delivery.completed" for event in function.events())
    seconds, worked = time.monotonic() - began, busy() - worked
    deployment.unsubscribe()
    return expected / seconds, worked / seconds / (os.cpu_count() or 1)
