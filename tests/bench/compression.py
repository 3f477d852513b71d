"""What compression makes of a file, and how fast: gpg over generated payments, by its processor seconds."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment
from tests.bench.peers import Peer, peer

LEVELS: Final = ("none", "zlib:1", "zlib:6")
ROWS: Final = 200_000
NOTE: Final = "sign and encrypt, one core; payments with all columns"


def run(options: Options) -> Iterator[Figure]:
    """The sealed file's share of the CSV, and megabytes of CSV a second of processor time, at each level."""
    with (
        bench_deployment(options, "compression", narrow=False) as deployment,
        peer(deployment, options.directory / "compression" / "peer") as theirs,
    ):
        data.fill(deployment, data.hour(0), ROWS)
        theirs.write_csv(data.hour(0))
        size = theirs.csv.stat().st_size
        for level in LEVELS:
            rates = tuple(size / 1e6 / _seconds(theirs, level) for _ in range(options.runs))
            yield Figure("compression", f"{level}, share", "of the CSV", (theirs.sealed.stat().st_size / size,))
            yield Figure("compression", f"{level}, gpg", "MB/s", rates, better="more", note=NOTE)


def _seconds(theirs: Peer, level: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(theirs.command(level, theirs.csv, Path(theirs.sealed)), check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
