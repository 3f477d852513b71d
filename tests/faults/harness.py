"""A local cloud whose every part can be broken on order, and the deployed function in it, closely watched."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from localcloud.cloud import LocalCloud
from localcloud.deployment import LocalDeployment, local_deployment
from localcloud.function import Function
from localcloud.processes import repository
from pipeline.window import HOUR, Slot, Window
from tests.faults.gpg import Gpg

BUDGET: Final = 15
"""Seconds of one invocation where something hangs: enough for the steps before it on a machine that is shared."""
AMPLE: Final = 120
"""Seconds of one invocation where nothing hangs, so that a slow machine changes no outcome."""
DATASET: Final = "payments"


@dataclass
class FaultHarness:
    """The deployment, the ways to break it, and its functions; made by `fault_harness`."""

    deployment: LocalDeployment
    gpg: Gpg
    temporary: Path
    end: datetime = field(default_factory=lambda: datetime.now(UTC).replace(minute=0, second=0, microsecond=0))
    hours: int = 0
    functions: dict[str, Function] = field(default_factory=dict)
    seen: dict[Path, int] = field(default_factory=dict)
    asked: int = 0

    def slot(self, rows: int) -> Slot:
        """One hour of payments that no test has had yet, complete at the source."""
        self.hours += 1
        window = Window.hour(self.end - (self.hours + 1) * HOUR)
        self.deployment.fill(window.start, {DATASET: rows}, seed=self.hours)
        self.deployment.tables.complete([DATASET], self.end)
        return Slot(DATASET, window)

    def function(
        self, publish: str = "direct", budget: int = AMPLE, name: str = "", workers: int = 1, **more: str
    ) -> Function:
        """The function, running; one process for each way of publishing files, each budget and each name."""
        name = f"function-{publish}-{budget}{name}"
        if name not in self.functions:
            settings = {
                "SFTP_PUBLISH": publish,
                "TIME_BUDGET_SECONDS": str(budget),
                "PATH": f"{self.gpg.directory}:{os.environ['PATH']}",
                "TMPDIR": str(self.temporary),
                "PYTHONPATH": str(repository()),
                "PGP_COMPRESSION": "none",  # a sealed file of several chunks and pieces, from few rows
                **more,
            }
            made = self.deployment.function(name=name, workers=workers)
            made.settings = {**made.settings, **settings}
            made.source = Path(__file__).with_name("observed.py")
            self.functions[name] = made
        made = self.functions[name]
        if made.process is None or made.process.poll() is not None:
            made.start()
        return made

    @property
    def cloud(self) -> LocalCloud:
        """The services, and the faults that can be ordered from them."""
        return self.deployment.cloud

    def end_faults(self) -> None:
        """Take every order back; what hangs at the storage is let go."""
        self.gpg.forget()
        self.cloud.end_faults()

    def look(self) -> None:
        """From now on `lines`, `events`, `event_names` and `operations` tell what comes after this moment."""
        self.seen = {path: len(_lines(path)) for path in self._logs()}
        self.asked = len(self.cloud.journal())

    def lines(self) -> list[str]:
        """What the functions have written, line by line."""
        return [line for path in self._logs() for line in _lines(path)[self.seen.get(path, 0) :]]

    def events(self) -> list[dict[str, Any]]:
        """Their structured events."""
        found = [json.loads(line) for line in self.lines() if line.startswith("{")]
        return [event for event in found if "event" in event]

    def event_names(self) -> list[str]:
        """The names of their events."""
        return [event["event"] for event in self.events()]

    def operations(self) -> list[str]:
        """The operations that the partner's server was asked for."""
        return [entry.operation for entry in self.cloud.journal()[self.asked :]]

    def _logs(self) -> list[Path]:
        return [function.log for function in self.functions.values()]


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []


@contextmanager
def fault_harness() -> Iterator[FaultHarness]:
    """A cloud of its own with AWS's server profile; the function keeps to one directory for temporary files."""
    with tempfile.TemporaryDirectory(prefix="pf-") as directory:
        root = Path(directory)
        with local_deployment(root) as deployment:
            temporary = root / "tmp"
            temporary.mkdir()
            made = FaultHarness(deployment, Gpg(root / "bin"), temporary)
            try:
                yield made
            finally:
                for function in made.functions.values():
                    function.stop()
