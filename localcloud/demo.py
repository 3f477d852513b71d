"""`make demo`: an hour goes from the warehouse to the partner before your eyes; `make up` keeps everything running."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from localcloud.cloud import PROJECT
from localcloud.dbt import parse
from localcloud.deployment import DATASET, LocalDeployment, local_deployment
from localcloud.distance import CLOUD, NONE
from localcloud.function import Function
from localcloud.hour import DATASETS, ENV, START, build_hour, written
from localcloud.opened import open_files
from localcloud.processes import repository
from localcloud.shown import line, show_files
from localcloud.warehouses import LocalBigQuery
from pipeline import log, settings
from pipeline.budget import Budget
from pipeline.run import Deployment, Run
from pipeline.states import STATES
from pipeline.status.grid import grid
from pipeline.status.history import histories
from pipeline.status.page import Subject, page
from pipeline.window import HOUR, Window, rfc3339

NEEDS: Final = "Takes about a minute, most of it dbt's, two cores and 1 GB of memory; no network."
SPARE: Final = 6
"""Hours that `make up` leaves for you to add."""

PATIENCE: Final = 120.0
SHOWN: Final = (
    "plan.completed",
    "seal.completed",
    "upload.completed",
    "delivery.completed",
    "delivery.empty",
    "delivery.unchanged",
    "rows.refused",
)
JUDGED: Final = tuple(state.event for state in STATES.values() if state.event)
"""Events that say what certify found."""

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
    console.print(f"{NEEDS}\n")
    with ThreadPoolExecutor() as meanwhile, ExitStack() as ending:
        meanwhile.submit(parse, LocalBigQuery("http://127.0.0.1", PROJECT, DATASET))
        root = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="pspp-demo-")))
        distance = CLOUD if given.distance else NONE
        deployment = ending.enter_context(
            local_deployment(root, pgp_algorithm="rsa3072", tables=False, distance=distance)
        )
        console.print(
            f"The local cloud is up ({time.monotonic() - began:.1f} s); keys, secrets, buckets, topics are made."
        )
        function = deployment.function()
        serving = meanwhile.submit(_serve, deployment, function)
        try:
            last = Window.last_full_hour_before(datetime.now(UTC))
            latest = Window.hour(last.start - (SPARE * HOUR if given.stay else 0 * HOUR))
            good = _two_hours(deployment, function, serving, latest) and _once_more(deployment, function, latest)
            good = good and _proof(deployment, function, latest)
            if given.stay and good:
                _stay(deployment, function, latest)
        except KeyboardInterrupt:
            return 0
        finally:
            function.stop()
    verdict = "[green]Everything as it must be[/]" if good else "[red]Something is off[/]"
    console.print(f"{verdict}, {time.monotonic() - began:.0f} s in all.")
    return 0 if good else 1


def _serve(deployment: LocalDeployment, function: Function) -> None:
    function.start()
    deployment.subscribe(function)


def _two_hours(deployment: LocalDeployment, function: Function, serving: Future[None], latest: Window) -> bool:
    """Raw rows, dbt, a message, files: the first hour by a window, the second by the scheduler's message."""
    first = Window(latest.start - HOUR, latest.start)
    console.print(f"\n[bold]First hour[/], {first.start:%Y-%m-%d %H:%M} UTC")
    _build(deployment, 0, first)
    serving.result()
    good = _deliver(deployment, function, first, _naming(first), "support's message with a window")
    console.print(f"\n[bold]Second hour[/], {latest.start:%H:%M} UTC: new raw rows, some about what was sent before")
    _build(deployment, 1, latest)
    return good and _deliver(deployment, function, latest, _hourly(latest), "the scheduler's hourly message")


def _naming(window: Window) -> str:
    return json.dumps({"window": {"start": rfc3339(window.start), "end": rfc3339(window.end)}})


def _hourly(window: Window) -> str:
    """The scheduler's message, unless the clock has struck since: then it would be about the next hour."""
    return "{}" if Window.last_full_hour_before(datetime.now(UTC)) == window else _naming(window)


def _build(deployment: LocalDeployment, number: int, window: Window) -> None:
    endpoint = deployment.cloud.services["bigquery"].ready["rest"]
    console.print(f"  {build_hour(deployment.tables, endpoint, number, window, console)}")


def _deliver(deployment: LocalDeployment, function: Function, window: Window, message: str, whose: str) -> bool:
    events_since = EventsSince(function, len(list(function.events())))
    console.print(f"  {whose} is published: [bold]{message}[/]")
    deployment.publish(message.encode())
    finished = _watch(events_since, ("delivery.completed", "delivery.empty"), len(DATASETS))
    opened = open_files(deployment, window)
    show_files(console, opened, events_since.named("seal.completed", "upload.completed"))
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


def _watch(events_since: EventsSince, ends: tuple[str, ...], count: int, *, shown: tuple[str, ...] = SHOWN) -> bool:
    """Print events until so many of these have come; False where they do not."""
    end = time.monotonic() + PATIENCE
    printed = 0
    while time.monotonic() < end:
        ended = len(events_since.named(*ends)) >= count
        events = events_since.named(*shown, "run.failed", "message.rejected")
        for event in events[printed:]:
            console.print("  " + line(event))
        printed = len(events)
        if ended:
            return True
        time.sleep(0.05)
    console.print(f"[red]{ends[0]} did not come within {PATIENCE:.0f} s; the function's log says:[/]")
    console.print("\n".join(events_since.function.log.read_text(errors="replace").splitlines()[-20:]))
    return False


def _proof(deployment: LocalDeployment, function: Function, latest: Window) -> bool:
    """Certify both hours; have a row refused; and write the page."""
    both = Window(latest.start - HOUR, latest.end)
    console.print("\n[bold]Certify[/]: source, records, archive and partner are compared")
    judged = EventsSince(function, len(list(function.events())))
    deployment.publish(json.dumps({"action": "certify", **json.loads(_naming(both))}).encode())
    good = _watch(judged, JUDGED, len(DATASETS) * len(both), shown=JUDGED)
    good = good and all(event["severity"] in ("NOTICE", "INFO") for event in judged.named(*JUDGED))

    tables = deployment.tables
    hour = f"updated_at >= '{rfc3339(latest.start)}' AND updated_at < '{rfc3339(latest.end)}'"
    payment, was = tables.sql(
        f"SELECT payment_id, currency FROM `{tables.name}.payments` WHERE {hour} ORDER BY payment_id LIMIT 1"
    )[0].values()
    becomes = f"UPDATE `{tables.name}.payments` SET currency = '{{}}' WHERE {hour} AND payment_id = '{payment}'"
    tables.sql(becomes.format("euro"))
    console.print("\n[bold]A row that breaks the contract[/]: one payment's currency is now 'euro'; --revise")
    before = {path: path.stat().st_mtime_ns for path in deployment.received()}
    refused = EventsSince(function, len(list(function.events())))
    message = {**json.loads(_naming(latest)), "datasets": ["payments"], "revise": True}
    deployment.publish(json.dumps(message).encode())
    good = _watch(refused, ("rows.refused",), 1) and good
    tables.sql(becomes.format(was))
    untouched = before == {path: path.stat().st_mtime_ns for path in deployment.received()}
    console.print("  Nothing of it left." if untouched else "[red]A file at the partner was touched.[/]")
    console.print(f"\nThe page of all deliveries: {_page(deployment, both)}", soft_wrap=True)
    return good and untouched


def _page(deployment: LocalDeployment, window: Window) -> Path:
    """The page as certify leaves it in the records bucket, in a file of this machine."""
    os.environ.update(deployment.environment())  # Cloud Storage's client looks for its endpoint there
    made = settings.from_environment()
    run = Run(Deployment(made), Budget.of(60))
    names = tuple(sorted(run.deployment.datasets))
    subject = Subject(made.google_cloud_project, made.sftp_host, names, run.deployment.promises)
    with log.written_to(None):
        hours = grid(histories(names, window, run), run.now())
    path = repository() / "build" / "demo.html"
    path.parent.mkdir(exist_ok=True)
    path.write_text(page(subject, hours, [], "this page is made without them", run.now()), encoding="utf-8")
    return path


def _stay(deployment: LocalDeployment, function: Function, latest: Window) -> None:
    start = rfc3339(latest.start - HOUR)
    given = {**deployment.environment(), START: start}
    path = ENV if written(ENV, given) else repository() / "build" / "local.env"
    if path != ENV:
        console.print(f"\n{ENV} is not of `make up`, and stays as it is.")
        written(path, given)
    name = path.relative_to(repository())
    hour = f"--start {rfc3339(latest.start)} --end {rfc3339(latest.end)}"
    console.print("\nEverything stays up until Ctrl-C. In another terminal, paste these two lines:\n")
    console.print(f"set -a; . ./{name}; set +a", soft_wrap=True)
    console.print(".venv/bin/python -m pipeline status --hours 8\n", soft_wrap=True)
    console.print(f"Add an hour ({SPARE} are left, missing until then), or send one again:\n", soft_wrap=True)
    if path == ENV:
        console.print(".venv/bin/python -m localcloud.hour", soft_wrap=True)
    console.print(f".venv/bin/python -m pipeline republish {hour} --resend\n", soft_wrap=True)
    console.print(f"The partner's files: {deployment.files}", soft_wrap=True)
    console.print(f"The function's log:  {function.log}", soft_wrap=True)
    for event_ in _forever(function):
        if event_["event"] in SHOWN or event_["severity"] not in ("INFO", "DEBUG"):
            console.print("  " + line(event_))


def _forever(function: Function) -> Iterator[dict[str, Any]]:
    seen = len(list(function.events()))
    while function.process is not None and function.process.poll() is None:
        for event in list(function.events())[seen:]:
            seen += 1
            yield event
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
