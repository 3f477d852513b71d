"""`python -m tests.bench [NAME ...]`: measure against peers, on this machine, in one run.

Services are as far away as in the cloud, see localcloud/distance.py, but for `limits`, which is about this machine.
Prints a table; writes results.json and results.svg. With no name all benchmarks run: chain, limits, growth, small,
trace, backfill, certify, returns, compression.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from localcloud.distance import CLOUD, NONE
from localcloud.processes import repository
from tests.bench import measurements, report
from tests.bench.figures import Figure
from tests.bench.harness import Options

BENCHMARKS: Final = ("chain", "limits", "growth", "small", "trace", "backfill", "certify", "returns", "compression")
SIZES: Final = (100,)
LARGE: Final = 1000


def main() -> int:
    """Run what is asked for; 0 whether or not goals are met, as figures depend on the machine."""
    options, names, output = _arguments()
    found: list[Figure] = []
    state = report.State()
    try:
        for name in names:
            for figure in importlib.import_module(f"tests.bench.{name}").run(options):
                report.line(figure)
                found.append(figure)
    finally:  # what was found until then took its time
        report.write(found, state, output)
        if options.record:
            words = [word for word in sys.argv[1:] if not word.startswith(("--output", "--python"))]
            measurements.record(found, report.machine(state), " ".join(["python -m tests.bench", *words]))
            importlib.import_module("tests.terraform.tables").main()  # it reads what was recorded
        shutil.rmtree(options.directory, ignore_errors=True)
    return 0


def _arguments() -> tuple[Options, list[str], Path]:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHMARKS)}")
    parser.add_argument("--sizes", help=f"megabytes of CSV, with commas; {','.join(map(str, SIZES))} without it")
    parser.add_argument("--runs", type=int, default=3, help="samples of each figure")
    parser.add_argument("--quick", action="store_true", help="10 MB, two samples")
    full = f"{LARGE} MB of chain, 10 million rows of growth, 720 hours of backfill, 2,208 of certify"
    parser.add_argument("--full", action="store_true", help=full)
    parser.add_argument("--loopback", action="store_true", help="all services on this machine, none at a distance")
    parser.add_argument("--record", action="store_true", help="keep the figures: see tests/bench/measurements.py")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the function's processes")
    parser.add_argument("--output", type=Path, default=repository() / "build" / "bench")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    usual = (*SIZES, LARGE) if given.full else SIZES
    sizes = tuple(int(size) for size in given.sizes.split(",")) if given.sizes else usual
    options = Options(
        sizes=(10,) if given.quick and not given.sizes else sizes,
        runs=min(given.runs, 2) if given.quick else given.runs,
        quick=given.quick,
        full=given.full,
        record=given.record,
        only_sizes=bool(given.sizes),
        python=given.python,
        directory=Path(tempfile.mkdtemp(prefix="pspp-bench-")),
        output=given.output,
        distance=NONE if given.loopback else CLOUD,
    )
    return options, given.names or list(BENCHMARKS), given.output


if __name__ == "__main__":
    sys.exit(main())
