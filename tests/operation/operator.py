"""What the person on call does: commands as they are typed, and changes to everything that can go wrong."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner, Result

from localcloud import sampledata
from localcloud.cloud import PROJECT
from localcloud.deployment import LocalDeployment
from localcloud.function import Function
from pipeline.__main__ import main
from pipeline.window import Window, rfc3339

PATIENCE: Final = 300.0
"""Seconds after which what is waited for is missed; far beyond what a busy machine takes."""
HERE: Final = {
    **dict.fromkeys(("certify", "collect", "keys", "verify-setup"), ("--here",)),
    "deliver": ("--here", "--yes"),
}
"""Options that have a command run in the test's process, with the settings that the test gives it."""

OUTAGE: Final = 6
"""Hours without a message in the test of an outage; the function looks back a little further, to no other test."""

FIRST_HOUR: Final = 10
"""Hours ago of the first hour that a test is given; the later ones are those of the outage."""


@dataclass
class Operator:
    """One deployment; every test takes an hour of its own, so that none sees another's deliveries."""

    deployment: LocalDeployment
    function: Function
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(minute=0, second=0, microsecond=0))
    taken: int = 0

    def run(self, *words: str, typed: str | None = None, **settings: str) -> Result:
        """As `type`, in this process and without a question where the command leaves the choice."""
        return self.type(*words, *HERE.get(words[0], ()), typed=typed, **settings)

    def type(self, *words: str, typed: str | None = None, **settings: str) -> Result:
        """Type `python -m pipeline WORDS`; its exit code, stdout and stderr. Anything but an exit is raised."""
        environment = {**self.deployment.environment(), **settings}
        result = CliRunner().invoke(main, list(words), input=typed, env=environment, catch_exceptions=False)
        assert "Traceback" not in result.output
        return result

    def answer(self, *words: str, code: int = 0, **settings: str) -> Any:
        """What a command says with --json; it must end with this exit code."""
        result = self.run(*words, "--json", **settings)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def hour(self, rows: int = 20, dataset: str = "payments") -> str:
        """An hour that nobody else uses, with this many rows, as commands name it."""
        start = self.now - timedelta(hours=FIRST_HOUR + self.taken)
        self.taken += 1
        if rows:
            self.add(rfc3339(start), rows, dataset)
        return rfc3339(start)

    def delivered(self, rows: int = 20) -> str:
        """An hour of payments that was delivered and certified."""
        hour = self.hour(rows)
        self.answer("deliver", "--start", hour, "--dataset", "payments")
        assert self.verdict(hour) == "certified"
        return hour

    def add(self, hour: str, rows: int, dataset: str = "payments", seed: int = 0) -> None:
        """Load rows of an hour, keys unlike those of any other seed."""
        contract = self.deployment.datasets[dataset]
        window = Window.hour(datetime.fromisoformat(hour))
        self.deployment.tables.load(contract.table, sampledata.rows(contract, window, rows, seed=seed, outside=0))

    def sql(self, text: str, hour: str) -> None:
        """Run a statement on the payments of an hour: `{table}` and `{hour}` stand for them."""
        condition = f"updated_at >= '{hour}' AND updated_at < TIMESTAMP_ADD('{hour}', INTERVAL 1 HOUR)"
        self.deployment.tables.sql(text.format(table=f"`{self.deployment.tables.name}.payments`", hour=condition))

    def certify(self, hour: str, *words: str, **settings: str) -> dict[str, Any]:
        """The certificate of payments in one hour."""
        result = self.run("certify", "--start", hour, "--dataset", "payments", "--json", *words, **settings)
        assert result.exit_code in (0, 1), result.output
        (certificate,) = json.loads(result.stdout)
        assert result.exit_code == int(certificate["verdict"] not in ("certified", "acknowledged", "empty"))
        return dict(certificate)

    def verdict(self, hour: str, *words: str, **settings: str) -> str:
        """The verdict alone."""
        return str(self.certify(hour, *words, **settings)["verdict"])

    def becomes(self, hour: str, verdict: str) -> dict[str, Any]:
        """Certify again and again until the verdict is this one; the function repairs it meanwhile."""
        seen: list[dict[str, Any]] = []

        def settled() -> bool:
            seen.append(self.certify(hour))
            return bool(seen[-1]["verdict"] == verdict)

        self.wait(settled, lambda: str(seen[-1]))
        return seen[-1]

    def wait(self, condition: Callable[[], bool], what: Callable[[], str] = lambda: "nothing") -> None:
        """Until the condition holds; what was there instead, where it never does."""
        end, pause = time.monotonic() + PATIENCE, 0.1
        while not condition():  # a condition may be a command, which takes time from the function that is waited for
            assert time.monotonic() < end, what()
            time.sleep(pause)
            pause = min(1.5 * pause, 2.0)

    def full(self, hour: str) -> Any:
        """One delivery in full, whatever its state."""
        return json.loads(self.run("status", "payments", hour, "--json").stdout)

    def records(self, hour: str, name: str = "") -> list[str]:
        """Names of the record objects of payments in an hour that begin with `name`, such as `r1/plan`."""
        prefix = f"deliveries/payments/{datetime.fromisoformat(hour):%Y/%m/%d/%H%M}/"
        return [blob.name for blob in self.deployment.cloud.storage.list_blobs("records", prefix=f"{prefix}{name}")]

    def archived(self, hour: str, suffix: str) -> str:
        """Name of the archived object of payments in an hour that ends so."""
        prefix = f"payments/{datetime.fromisoformat(hour):%Y/%m/%d/%H%M}/"
        names = [blob.name for blob in self.deployment.cloud.storage.list_blobs("archive", prefix=prefix)]
        (found,) = [name for name in names if name.endswith(suffix)]
        return str(found)

    def file(self, hour: str, revision: int = 1) -> Path:
        """The partner's file of payments in an hour."""
        begin = f"payments_{datetime.fromisoformat(hour):%Y%m%dT%H%M%SZ}_"
        (found,) = [
            path for path in self.deployment.received() if path.name.startswith(begin) and f"_r{revision}_" in path.name
        ]
        return found

    @contextmanager
    def secret(self, name: str, value: bytes) -> Iterator[None]:
        """A new version of a secret for a while; then another one, with the value that it had."""
        path = f"projects/{PROJECT}/secrets/{name}/versions/latest"
        before = self.deployment.cloud.secrets.access_secret_version(name=path).payload.data
        self.deployment.cloud.add_secret(name, value)
        try:
            yield
        finally:
            self.deployment.cloud.add_secret(name, before)


def copy_of(path: Path, directory: Path) -> Path:
    """A copy of a file, to compare with later."""
    return Path(shutil.copy(path, directory / path.name))
