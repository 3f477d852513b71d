"""Each stage against its limit: what the program or library beneath it does on the same bytes when it is left alone."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from localcloud.deployment import LocalDeployment
from localcloud.distance import NONE
from localcloud.function import CLOUD_VARIABLES
from localcloud.processes import environment, repository
from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment, profile
from tests.bench.peers import sftp_command
from tests.bench.within import CPU

GOAL: Final = 0.8
FRAMES: Final = (
    "polars writes its one large frame on every core; ours come one by one, and the other cores have gpg to feed"
)
FAR: Final = 50
"""Milliseconds of round trip to a partner on another continent's near side."""


def run(options: Options) -> Iterator[Figure]:
    """seal, csv, source, and upload at no distance and at FAR."""
    size = 20 if options.quick else 200
    with bench_deployment(options, "limits", distance=NONE) as deployment:
        data.fill(deployment, data.hour(0), size * 1_000_000 // data.ROW_BYTES)
        file = options.directory / "limits" / "ready.bin"
        _content(file, size)
        seal = _within(deployment, options, "seal", file)
        yield _figure("seal", "gpg alone", seal, "ours", GOAL, size)
        yield _figure("seal and open again", "gpg alone", seal, "opened", None, size, "two gpgs: half is the limit")
        csv = _within(deployment, options, "csv", file)
        yield _figure("CSV of checked frames", "polars alone", csv, "ours", GOAL, size, FRAMES)
        yield _figure("CSV of checked frames", "polars alone", csv, "ours", GOAL, size, clock=CPU)
        yield _figure("checks and CSV", "polars alone", csv, "checked", None, size, "every rule on every value as well")
        yield _figure("source", "bare Storage Read", _within(deployment, options, "source", file), "ours", GOAL, size)
        yield _figure("upload", "sftp", _within(deployment, options, "upload", file), "ours", GOAL, size)
        far = max(size // 4, 10)
        _content(file, far)
        deployment.cloud.start_partner(deployment.profile, "--rtt-ms", str(FAR))
        distant = _within(deployment, options, "upload", file)
        yield _figure(
            f"upload at {FAR} ms", "sftp", distant, "ours", GOAL, far, "the server's window: about 2 MB a round trip"
        )
    with bench_deployment(options, "limits", partner="aws", distance=NONE) as deployment:
        _content(file, size)
        note = f"small requests, no extensions; {profile()} above"
        yield _figure(
            "upload, AWS's profile", "sftp", _within(deployment, options, "upload", file), "ours", GOAL, size, note
        )


def _figure(
    name: str,
    limit: str,
    samples: Mapping[str, list[float]],
    way: str,
    goal: float | None,
    size: int,
    note: str = "",
    *,
    clock: str = "",
) -> Figure:
    ours, theirs = tuple(samples[way + clock]), tuple(samples["limit" + clock])
    return Figure("limits", f"{name}, {size} MB{clock}", "s", ours, theirs, limit, goal=goal, note=note)


def _within(deployment: LocalDeployment, options: Options, stage: str, file: Path) -> dict[str, list[float]]:
    values = {**deployment.environment(), "SFTP": json.dumps(sftp_command(deployment, file.parent))}
    done = subprocess.run(
        [
            options.python,
            "-m",
            "tests.bench.within",
            stage,
            str(options.runs),
            data.hour(0).start.isoformat(),
            str(file),
        ],
        env=environment(values, without=CLOUD_VARIABLES),
        cwd=repository(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=1800,
    )
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def _content(file: Path, size: int) -> None:
    """So many megabytes that no compression could make smaller; seeded."""
    generator = random.Random(size)
    with file.open("wb") as target:
        for _ in range(size):
            target.write(generator.randbytes(1_000_000))
