"""`make demo`: an hour goes from the warehouse to the partner before your eyes; `make up` keeps everything running."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from localcloud.cloud import PROJECT
from localcloud.dbt import build
from localcloud.deployment import DATASET, TOPIC, LocalDeployment, local_deployment
from localcloud.distance import CLOUD, NONE
from localcloud.function import Function
from localcloud.opened import Opened, open_files
from localcloud.rawdata import raw_rows
from localcloud.warehouses import LocalBigQuery
from pipeline.window import HOUR, Window, rfc3339

MOVEMENTS: Final = 4_000
"""New payments and transactions an hour, about."""

DATASETS: Final = ("identity", "payments", "transactions")
PATIENCE: Final = 120.0
SHOWN: Final = (
    "plan.completed",
    "seal.completed",
    "upload.completed",
    "delivery.completed",
    "delivery.empty",
    "delivery.unchanged",
)

console = Console(highlight=False)


@dataclass(frozen=True)
class EventsSince:
    """Events of the function since a moment."""

    function: Function
    since: int

    def named(self, *names: str) -> list[dict[str, Any]]:
        """The events of these names."""
        return [event for event in list(self.function.events())[self.since :] if event["event"] in names]


def main() -> int:
    """Run the demonstration; 0 where everything was as it must be."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.demo", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="keep everything running afterwards")
    parser.add_argument("--distance", action="store_true", help="services as far away as in the cloud")
    given = parser.parse_args()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="pspp-demo-") as root,
        local_deployment(
            Path(root), pgp_algorithm="rsa3072", tables=False, distance=CLOUD if given.distance else NONE
        ) as deployment,
    ):
        console.print(
            f"The local cloud is up ({time.monotonic() - began:.1f} s); keys, secrets, buckets, topics are made."
        )
        function = deployment.function().start()
        try:
            deployment.subscribe(function)
            latest = Window.last_full_hour_before(datetime.now(UTC))
            good = _two_hours(deployment, function, latest) and _once_more(deployment, function, latest)
            if given.stay and good:
                _stay(deployment, function)
        except KeyboardInterrupt:
            return 0
        finally:
            function.stop()
    verdict = "[green]Everything as it must be[/]" if good else "[red]Something is off[/]"
    console.print(f"{verdict}, {time.monotonic() - began:.0f} s in all.")
    return 0 if good else 1


def _two_hours(deployment: LocalDeployment, function: Function, latest: Window) -> bool:
    """Raw rows, dbt, a message, files: the first hour by a window, the second by the scheduler's message."""
    first = Window(latest.start - HOUR, latest.start)
    console.print(f"\n[bold]First hour[/], {first.start:%Y-%m-%d %H:%M} UTC")
    _build(deployment, 0, first)
    good = _deliver(deployment, function, first, _naming(first), "support's message with a window")
    console.print(f"\n[bold]Second hour[/], {latest.start:%H:%M} UTC: new raw rows, some about what was sent before")
    _build(deployment, 1, latest)
    return good and _deliver(deployment, function, latest, _hourly(latest), "the scheduler's hourly message")


def _naming(window: Window) -> str:
    return json.dumps({"window": {"start": rfc3339(window.start), "end": rfc3339(window.end)}})


def _hourly(window: Window) -> str:
    """The scheduler's message, unless the clock has struck since: then it would be about the next hour."""
    return "{}" if Window.last_full_hour_before(datetime.now(UTC)) == window else _naming(window)


def _build(deployment: LocalDeployment, hour: int, window: Window) -> None:
    """New raw rows, and dbt over all of them, as if it ran two minutes after the hour."""
    warehouse = LocalBigQuery(deployment.cloud.services["bigquery"].ready["rest"], PROJECT, DATASET)
    raw = raw_rows(seed=0, hour=hour, rows=MOVEMENTS, start=window.start - hour * HOUR)
    warehouse.load(raw)
    began = time.monotonic()
    build(warehouse, now=window.end + timedelta(minutes=2))
    counts = {
        name: deployment.tables.sql(f"SELECT COUNT(*) FROM `{deployment.tables.name}.{name}`")[0][0]
        for name in DATASETS
    }
    inside = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    console.print(
        f"  {sum(frame.height for frame in raw.values()):,} raw rows loaded, dbt built "
        f"({time.monotonic() - began:.0f} s); the tables hold {inside} rows"
    )


def _deliver(deployment: LocalDeployment, function: Function, window: Window, message: str, whose: str) -> bool:
    events_since = EventsSince(function, len(list(function.events())))
    console.print(f"  {whose} is published: [bold]{message}[/]")
    deployment.publish(message.encode())
    finished = _watch(events_since, ("delivery.completed", "delivery.empty"), len(DATASETS))
    opened = open_files(deployment, window)
    _show(events_since, opened)
    return finished and bool(opened) and all(one.identical for one in opened.values())


def _once_more(deployment: LocalDeployment, function: Function, window: Window) -> bool:
    events_since = EventsSince(function, len(list(function.events())))
    before = {path: path.stat().st_mtime_ns for path in deployment.received()}
    console.print("\n[bold]The same message again[/]")
    deployment.publish(_hourly(window).encode())
    finished = _watch(events_since, ("delivery.unchanged", "delivery.empty"), len(DATASETS))
    untouched = before == {path: path.stat().st_mtime_ns for path in deployment.received()}
    console.print("  Nothing was done twice." if untouched else "[red]A file at the partner was touched.[/]")
    return finished and untouched and not events_since.named("upload.started")


def _watch(events_since: EventsSince, ends: tuple[str, ...], count: int) -> bool:
    end = time.monotonic() + PATIENCE
    shown = 0
    while time.monotonic() < end:
        events = events_since.named(*SHOWN, "run.failed", "message.rejected")
        for event in events[shown:]:
            console.print("  " + _line(event))
        shown = len(events)
        if len(events_since.named(*ends)) >= count:
            return True
        time.sleep(0.05)
    console.print(f"[red]{ends[0]} did not come within {PATIENCE:.0f} s; the function's log says:[/]")
    console.print("\n".join(events_since.function.log.read_text(errors="replace").splitlines()[-20:]))
    return False


def _line(event: dict[str, Any]) -> str:
    figures = [f"{event['rows']:,} rows"] if "rows" in event else []
    figures += [f"{event['bytes']:,} bytes"] if "bytes" in event else []
    figures += [f"{event['seconds']:.2f} s"] if "seconds" in event else []
    trouble = [event["message"]] if event["severity"] in ("ERROR", "CRITICAL") else []
    return f"{event['event']:<20} {event.get('dataset', ''):<13} {', '.join(figures + trouble)}"


def _show(events_since: EventsSince, opened: dict[str, Opened]) -> None:
    table = Table("dataset", "rows", "bytes", "seconds", "archived under", "the partner sees", "with the partner's key")
    for name, one in opened.items():
        seal, upload = (_of(events_since, event, name) for event in ("seal.completed", "upload.completed"))
        table.add_row(
            name,
            f"{one.rows:,}",
            f"{seal.get('bytes', 0):,}",
            f"{seal.get('seconds', 0) + upload.get('seconds', 0):.2f}",
            f"gs://archive/\n{one.folder}",
            f"{one.file.name}\n{one.file.stat().st_size:,} bytes",
            "[green]opened: identical[/]" if one.identical else f"[red]{one.verdict}[/]",
        )
    console.print(table)


def _of(events_since: EventsSince, event: str, dataset: str) -> dict[str, Any]:
    return next((one for one in events_since.named(event) if one.get("dataset") == dataset), {})


def _stay(deployment: LocalDeployment, function: Function) -> None:
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in deployment.environment().items())
    hour = Window.last_full_hour_before(datetime.now(UTC))
    message = json.dumps({"window": {"start": rfc3339(hour.start), "end": rfc3339(hour.end)}, "resend": True})
    console.print("\nEverything stays up until Ctrl-C. Settings of this cloud, for the operator's commands:\n")
    console.print(f"export {settings}", soft_wrap=True)
    console.print(f"\nPublish a message by hand, from another terminal with these settings (topic {TOPIC}):\n")
    console.print(f"{sys.executable} -m localcloud.publish {shlex.quote(message)}", soft_wrap=True)
    console.print(
        f"\nWarehouse {PROJECT}.{DATASET}; the partner's files: {deployment.files}; the function's log: {function.log}"
    )
    for event_ in _forever(function):
        if event_["event"] in SHOWN or event_["severity"] not in ("INFO", "DEBUG"):
            console.print("  " + _line(event_))


def _forever(function: Function) -> Iterator[dict[str, Any]]:
    seen = len(list(function.events()))
    while function.process is not None and function.process.poll() is None:
        for event in list(function.events())[seen:]:
            seen += 1
            yield event
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
