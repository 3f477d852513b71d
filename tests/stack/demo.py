"""`make demo`: an hour goes from the warehouse to the partner before your eyes; `make up` keeps everything running."""

from __future__ import annotations

import argparse
import base64
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

from pipeline.window import Window
from tests.stack.function import Function
from tests.stack.opened import Opened, open_files
from tests.stack.world import DATASET, PROJECT, TOPIC, World, world

ROWS: Final = {"identity": 2_000, "payments": 6_000, "transactions": 9_000}
PATIENCE: Final = 120.0
SHOWN: Final = ("plan.completed", "seal.completed", "upload.completed", "delivery.completed", "delivery.unchanged")

console = Console(highlight=False)


@dataclass(frozen=True)
class Told:
    """Events of the function since a moment."""

    function: Function
    since: int

    def named(self, *names: str) -> list[dict[str, Any]]:
        """The events of these names."""
        return [event for event in list(self.function.events())[self.since :] if event["event"] in names]


def main() -> int:
    """Run the demonstration; 0 where everything was as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.stack.demo", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="keep everything running afterwards")
    stay = parser.parse_args().stay
    began = time.monotonic()
    window = Window.last_full_hour_before(datetime.now(UTC))
    with tempfile.TemporaryDirectory(prefix="pspp-demo-") as root, world(Path(root), pgp_algorithm="rsa3072") as local:
        console.print(
            f"The local cloud is up ({time.monotonic() - began:.1f} s); keys, secrets, buckets, topics are made."
        )
        local.fill(window.start, ROWS)
        console.print(
            f"{sum(ROWS.values()):,} rows of {window.start:%Y-%m-%d %H:%M} UTC are in the warehouse, complete."
        )
        function = local.function().start()
        try:
            local.subscribe(function)
            good = _first_message(local, function, window) and _second_message(local, function)
            if stay and good:
                _stay(local, function)
        except KeyboardInterrupt:
            return 0
        finally:
            function.stop()
    console.print(
        f"[{'green' if good else 'red'}]{'Everything as it must be' if good else 'Something is off'}[/], "
        f"{time.monotonic() - began:.0f} s in all."
    )
    return 0 if good else 1


def _first_message(local: World, function: Function, window: Window) -> bool:
    told = Told(function, 0)
    console.print("\nThe scheduler's hourly message is published: [bold]{}[/]")
    local.publish(b"{}")
    finished = _watch(told, "delivery.completed", len(ROWS))
    opened = open_files(local, window)
    _show(local, told, opened)
    return finished and len(opened) == len(ROWS) and all(one.identical for one in opened.values())


def _second_message(local: World, function: Function) -> bool:
    told = Told(function, len(list(function.events())))
    before = {path: path.stat().st_mtime_ns for path in local.received()}
    console.print("\nThe same message is published again:")
    local.publish(b"{}")
    finished = _watch(told, "delivery.unchanged", len(ROWS))
    untouched = before == {path: path.stat().st_mtime_ns for path in local.received()}
    console.print("Nothing was done twice." if untouched else "[red]A file at the partner was touched.[/]")
    return finished and untouched and not told.named("upload.started")


def _watch(told: Told, name: str, count: int) -> bool:
    end = time.monotonic() + PATIENCE
    shown = 0
    while time.monotonic() < end:
        events = told.named(*SHOWN, "run.failed", "message.rejected")
        for event in events[shown:]:
            console.print("  " + _line(event))
        shown = len(events)
        if len(told.named(name)) >= count:
            return True
        time.sleep(0.05)
    console.print(f"[red]{name} did not come within {PATIENCE:.0f} s; the function's log says:[/]")
    console.print("\n".join(told.function.log.read_text(errors="replace").splitlines()[-20:]))
    return False


def _line(event: dict[str, Any]) -> str:
    figures = [f"{event['rows']:,} rows"] if "rows" in event else []
    figures += [f"{event['bytes']:,} bytes"] if "bytes" in event else []
    figures += [f"{event['seconds']:.2f} s"] if "seconds" in event else []
    trouble = [event["message"]] if event["severity"] in ("ERROR", "CRITICAL") else []
    return f"{event['event']:<20} {event.get('dataset', ''):<13} {', '.join(figures + trouble)}"


def _show(local: World, told: Told, opened: dict[str, Opened]) -> None:
    table = Table("dataset", "rows", "bytes", "seconds", "archived under", "the partner sees", "with the partner's key")
    for name, one in opened.items():
        seal, upload = (_of(told, event, name) for event in ("seal.completed", "upload.completed"))
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


def _of(told: Told, event: str, dataset: str) -> dict[str, Any]:
    return next((one for one in told.named(event) if one.get("dataset") == dataset), {})


def _stay(local: World, function: Function) -> None:
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in local.environment().items())
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    message = json.dumps(
        {"window": {"start": hour.isoformat(), "end": (hour + timedelta(hours=1)).isoformat()}, "resend": True}
    )
    event = {"messages": [{"data": base64.b64encode(message.encode()).decode()}]}
    console.print("\nEverything stays up until Ctrl-C. Settings of this cloud, for the operator's commands:\n")
    console.print(f"export {settings}", soft_wrap=True)
    console.print(f"\nPublish a message by hand, from another terminal with these settings (topic {TOPIC}):\n")
    console.print(f"{sys.executable} -m tests.stack.publish {shlex.quote(message)}", soft_wrap=True)
    console.print(
        f"\nWarehouse {PROJECT}.{DATASET}; the partner's files: {local.files}; the function's log: {function.log}"
    )
    console.print(f"The same as a body for Pub/Sub's REST method: {json.dumps(event)}", soft_wrap=True)
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
