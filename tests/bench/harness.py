"""What benchmarks run in: a local cloud, the function in a process, and a message carried out on time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from localcloud.cloud import ServerProfile, sshd_installed
from localcloud.deployment import LocalDeployment, local_deployment
from localcloud.distance import CLOUD, Distance
from localcloud.function import Function
from pipeline.window import Window
from tests.bench import data
from tests.faults.push import asking_for, push

PATIENCE: Final = 3000.0
UNLIMITED: Final = {
    "TIME_BUDGET_SECONDS": "3500",
    "MAX_PART_ROWS": "1000000000",
    "MAX_PART_BYTES": "1000000000000",
}
"""One part, whatever its size: parts are spread over machines, and one machine is measured."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says: sizes in megabytes, samples of each, and the function's interpreter."""

    sizes: tuple[int, ...]
    runs: int
    quick: bool
    full: bool
    python: str
    directory: Path
    output: Path
    distance: Distance = CLOUD
    record: bool = False
    only_sizes: bool = False
    """Whether the sizes were named on the command line: then no others are measured."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message: seconds until it was acknowledged, and by stage, as the function's own events tell."""

    seconds: float
    stages: dict[str, float]
    bytes: int


def profile() -> ServerProfile:
    """OpenSSH's server where it is installed: the peers' own; else the double."""
    return "openssh" if sshd_installed() else "aws"


@contextmanager
def bench_deployment(
    options: Options,
    name: str,
    *,
    narrow: bool = True,
    partner: ServerProfile | None = None,
    distance: Distance | None = None,
) -> Iterator[LocalDeployment]:
    """A cloud of its own, as far away as `distance` or else the options say; gone afterwards."""
    root = options.directory / name
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        directory = data.contracts(root / "contracts") if narrow else None
        far = options.distance if distance is None else distance
        with local_deployment(
            root, profile=partner or profile(), contracts_directory=directory, distance=far
        ) as deployment:
            yield deployment
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def serving(
    deployment: LocalDeployment, options: Options, *, workers: int = 1, name: str = "function"
) -> Iterator[Function]:
    """The deployed code in its own interpreter, up and waiting."""
    function = deployment.function(workers=workers, name=name, **UNLIMITED)
    function.python = options.python
    try:
        yield function.start()
    finally:
        function.stop()


def deliver(function: Function, window: Window, *datasets: str) -> Delivered:
    """Deliver the window anew and wait. Raises RuntimeError with the function's word where it failed."""
    seen = len(list(function.events()))
    answer = push(function.url, asking_for(window, *datasets, revise=True), patience=PATIENCE)
    events = list(function.events())[seen:]
    if not answer.acknowledges or any(event["event"] == "message.rejected" for event in events):
        raise RuntimeError(f"The message failed: {[e['message'] for e in events if e['severity'] == 'ERROR']}")
    stages = {event["event"].partition(".")[0]: event["seconds"] for event in events if "seconds" in event}
    return Delivered(answer.seconds, stages, _bytes(events))


def _bytes(events: list[dict[str, Any]]) -> int:
    return sum(int(event["bytes"]) for event in events if event["event"] == "seal.completed")


def sweep(deployment: LocalDeployment) -> None:
    """Forget what the partner received, so that the disk does not fill."""
    for file in deployment.received():
        file.unlink()
