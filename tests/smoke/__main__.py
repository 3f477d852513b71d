"""`make smoke PROJECT=... DATASET=...`: what the real services answered beside what the local cloud answers."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from localcloud.cloud import local_cloud
from tests.smoke import services, warehouse
from tests.smoke.place import Place, places
from tests.smoke.steps import STEPS

CALLS = (warehouse, services)
"""The modules whose import lists their calls."""


@dataclass(frozen=True)
class Answer:
    """One step's answers; they differ where the local cloud does not behave as the real one."""

    step: str
    real: str
    local: str

    @property
    def same(self) -> bool:
        return self.real == self.local


def answers(real: Place, local: Place) -> Iterable[Answer]:
    """Every step in both places. A step that fails is answered by its error, and the next one is tried all the same."""
    for name, call in STEPS.items():
        told = []
        for place in (local, real):
            try:
                told.append(place.plain(call(place)))
            except Exception as error:  # noqa: BLE001 - whatever a client raises is what was answered
                told.append(f"FAILED {place.said(error)}")
        yield Answer(name, real=told[1], local=told[0])


def main() -> int:
    """0 where every answer is the same."""
    parser = argparse.ArgumentParser(prog="python -m tests.smoke", description=__doc__)
    parser.add_argument("project", help="a real project in which things may be made")
    parser.add_argument("dataset", help="the name of what is made there and deleted again; it must not exist")
    parser.add_argument("--location", default="EU")
    given = parser.parse_args()
    console = Console(width=200)
    with tempfile.TemporaryDirectory(prefix="pspp-smoke-") as root, local_cloud(Path(root)) as cloud:
        wanted = Place(given.project, given.dataset, given.location)
        if given.dataset in {one.dataset_id for one in wanted.bigquery.list_datasets()}:
            console.print(f"There is a dataset {given.dataset} in {given.project}: name one that may be deleted again.")
            return 2
        with places(cloud, given.project, given.dataset, given.location) as (real, local):
            found = list(answers(real, local))
    return report(found, given.project, console)


def report(found: Sequence[Answer], project: str, console: Console) -> int:
    """Print both answers of every step side by side; 0 where all are the same."""
    table = Table("", "what", f"{project} answered", "the local cloud answers", show_lines=True)
    for one in found:
        table.add_row("=" if one.same else "[red]differs[/]", *map(escape, (one.step, one.real, one.local)))
    console.print(table)
    differing = [one for one in found if not one.same]
    console.print(f"{len(found)} kinds of call, {len(differing)} answered otherwise by the local cloud.")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
