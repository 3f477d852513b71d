"""One hour of the demonstration: raw rows, and dbt over them. `python -m localcloud.hour` adds the next one.

It takes its settings from `.env`, which `make up` writes: the hour after the watermark is loaded and built, and a
message that names it is published.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from rich.console import Console

from localcloud.cloud import PROJECT
from localcloud.dbt import build
from localcloud.processes import repository
from localcloud.publish import publish
from localcloud.rawdata import raw_rows
from localcloud.tables import WATERMARK, Tables
from localcloud.warehouses import LocalBigQuery
from pipeline.window import HOUR, Window, rfc3339

MOVEMENTS: Final = 4_000
"""New payments and transactions an hour, about."""

DATASETS: Final = ("identity", "payments", "transactions")
ENV: Final = repository() / ".env"
MARK: Final = "# The local cloud of `make up`; it is over with it.\n"
"""The first line of a file of settings that `make up` wrote, and may write again."""

START: Final = "LOCAL_CLOUD_START"
"""In that file: the beginning of the hour 0 of raw rows."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What was built: raw rows loaded, seconds that dbt took, rows that each table holds now."""

    raw: int
    seconds: float
    tables: dict[str, int]

    def __str__(self) -> str:
        inside = ", ".join(f"{name} {count:,}" for name, count in self.tables.items())
        return f"{self.raw:,} raw rows loaded, dbt built ({self.seconds:.0f} s).\n  Rows in the tables: {inside}."


def build_hour(tables: Tables, endpoint: str, number: int, window: Window, console: Console) -> Hour:
    """Load the raw rows of one hour and run dbt as if it were two minutes later."""
    warehouse = LocalBigQuery(endpoint, PROJECT, tables.name.partition(".")[2])
    raw = raw_rows(seed=0, hour=number, rows=MOVEMENTS, start=window.start - number * HOUR)
    warehouse.load(raw)
    began = time.monotonic()
    with busy(console, "dbt builds the tables"):
        build(warehouse, now=window.end + timedelta(minutes=2))
    seconds = time.monotonic() - began
    counts = {name: tables.sql(f"SELECT COUNT(*) FROM `{tables.name}.{name}`")[0][0] for name in DATASETS}
    return Hour(sum(frame.height for frame in raw.values()), seconds, counts)


@contextmanager
def busy(console: Console, doing: str) -> Iterator[None]:
    """A spinner while something takes long, on a terminal alone."""
    if not console.is_terminal:
        yield
        return
    with console.status(f"  {doing} ..."):
        yield


def written(path: Path, settings: dict[str, str]) -> bool:
    """Write settings as a shell and python-dotenv read them; False where a file of somebody else's is there."""
    if path.exists() and not path.read_text(encoding="utf-8").startswith(MARK):
        return False
    lines = "".join(f"{name}='{value}'\n" for name, value in settings.items())
    path.write_text(MARK + lines, encoding="utf-8")
    return True


def main() -> int:
    """Add the hour after the watermark, and publish its message."""
    console = Console(highlight=False)
    settings = {name: value for name, value in dotenv_values(ENV).items() if value is not None}
    if START not in settings:
        console.print("`make up` keeps a cloud running and writes .env; start it first.")
        return 2
    os.environ.update(settings)
    endpoint, dataset = settings["BIGQUERY_EMULATOR_HOST"], settings["BIGQUERY_DATASET"]
    tables = Tables(endpoint, PROJECT, dataset)
    window = Window.hour(tables.sql(f"SELECT MIN(complete_until) FROM `{tables.name}.{WATERMARK}`")[0][0])
    if window.end > datetime.now(UTC):
        console.print(f"Every hour that is over is there; the next ends at {window.end:%H:%M} UTC.")
        return 1
    number = int((window.start - datetime.fromisoformat(settings[START])) / HOUR)
    console.print(f"{window.start:%Y-%m-%d %H:%M} UTC")
    console.print(f"  {build_hour(tables, endpoint, number, window, console)}")
    message = json.dumps({"window": {"start": rfc3339(window.start), "end": rfc3339(window.end)}})
    publish(message.encode())
    console.print(f"  Published: {message}\n  See it arrive: .venv/bin/python -m pipeline status --hours 8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
