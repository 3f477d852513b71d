"""`python -m tests.chaos`: many windows with kills, drops and duplicates; then an audit that must be clean."""

from __future__ import annotations

import argparse
import random
import signal
import sys

from rich.console import Console
from rich.table import Table

from tests.chaos.parts import parts
from tests.chaos.run import Day, run

console = Console(highlight=False)


def main() -> int:
    """Run it; 0 where the auditor found nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="the same seed, the same faults")
    parser.add_argument("--windows", type=int, default=90, help="datasets x hours; five minutes on two cores")
    parser.add_argument("--parts", action="store_true", help="instead: two million rows of one window, in parts")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server of the local cloud outlives it
    if given.parts:
        return 0 if parts(console) else 1
    console.print(f"seed {given.seed}, {given.windows} windows")
    day = run(given.seed, given.windows)
    _show(day)
    return 0 if day.audit.clean and not day.refused else 1


def _show(day: Day) -> None:
    faults = ", ".join(f"{kind} {count}" for kind, count in sorted(day.faults.items()))
    console.print(
        f"{day.slots} windows in {day.seconds:.0f} s: {day.pushes} pushes, {day.at_once} of them to both processes at "
        f"once, {day.failed} to be repeated; faults: {faults}"
    )
    found = day.audit
    table = Table("what the auditor found", "")
    table.add_row("files at the partner", f"{found.files:,}")
    table.add_row("rows in them", f"{found.rows:,}")
    for name, figure in (
        ("rows lost", found.lost),
        ("rows sent twice with other content", found.altered),
        ("unchecked bytes", found.unchecked),
        ("leftovers", found.leftovers),
        ("certificates that are not true, hours not certified", found.untrue),
        ("messages refused", day.refused),
    ):
        table.add_row(name, f"[{'red' if figure else 'green'}]{figure:,}[/]")
    console.print(table)
    for problem in found.problems[:40]:
        console.print(f"  {problem}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
