"""The whole chain against the staged way, and against the shell that is handed a ready CSV.

Ours queries (three times: ready, count, extract), checks every row, archives CSV and sealed file, opens the sealed file
again, and sends what was archived. The staged way queries once, stores once and checks nothing; the shell only seals
and sends.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.ground import Options, deliver, ground, serving, sweep
from tests.bench.peers import peer

PLAN = "readiness and count queries, which the local warehouse computes on these cores, are taken off our time"


def run(options: Options) -> Iterator[Figure]:
    """A figure for each size and peer; samples of ours and of the peers take turns."""
    with ground(options, "chain") as local, peer(local, options.directory / "chain" / "peer") as theirs:
        for number, size in enumerate(options.sizes):
            data.fill(local, data.hour(number), size * 1_000_000 // data.ROW_BYTES)
        with serving(local, options) as function:
            deliver(function, data.hour(0), "payments")
            for number, size in enumerate(options.sizes):
                ours, plans, staged, rows, shell = [], [], [], [], []
                for _ in range(options.runs):
                    delivered = deliver(function, data.hour(number), "payments")
                    ours.append(delivered.seconds)
                    plans.append(delivered.stages["plan"])
                    staged.append(sum(theirs.staged(data.hour(number), "frames").values()))
                    shell.append(sum(theirs.shell().values()))
                    if number == 0:
                        rows.append(sum(theirs.staged(data.hour(0), "rows").values()))
                    sweep(local)
                beyond = tuple(whole - plan for whole, plan in zip(ours, plans, strict=True))
                label = f"{size} MB"
                yield Figure("chain", f"{label}, staged by pandas", "s", tuple(ours), tuple(staged), "staged", goal=3.0)
                yield Figure(
                    "chain", f"{label}, staged, plan left out", "s", beyond, tuple(staged), "staged", note=PLAN
                )
                yield Figure("chain", f"{label}, shell", "s", tuple(ours), tuple(shell), "gpg, sftp", goal=1 / 1.5)
                yield Figure(
                    "chain", f"{label}, shell, plan left out", "s", beyond, tuple(shell), "gpg, sftp", note=PLAN
                )
                if rows:
                    yield Figure(
                        "chain", f"{label}, staged row by row", "s", tuple(ours), tuple(rows), "staged", goal=3.0
                    )
