"""A period in which something went wrong, and the archive that an auditor is given of it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from localcloud.cloud import LocalCloud
from pipeline.__main__ import main
from pipeline.pgp.keyring import signing_key
from pipeline.pgp.signature import detached
from pipeline.records import ledger
from pipeline.records.schema import Returned
from pipeline.window import HOUR, Window, rfc3339
from tests.deployment import HOUR as LAST
from tests.deployment import InProcessDeployment

GOOD: Final = LAST
REFUSED: Final = Window.hour(LAST.start - HOUR)
REVISED: Final = Window.hour(LAST.start - 2 * HOUR)
PERIOD: Final = Window(REVISED.start, GOOD.end)
RETURNED: Final = "note_about_payments.txt"


@dataclass(frozen=True)
class Period:
    """A deployment whose payments of three hours are: sent late as a second revision, refused, and certified."""

    deployment: InProcessDeployment

    def evidence(self, output: Path, *words: str, window: Window = PERIOD) -> Result:
        """Type the command."""
        typed = ["evidence", "--start", rfc3339(window.start), "--end", rfc3339(window.end), "-o", str(output), *words]
        environment = self.deployment.environment()
        return CliRunner().invoke(main, typed, env=environment, catch_exceptions=False)

    def extend_ledger(self) -> None:
        """As if the next hour's certify had come: the page of this hour is made."""
        run = self.deployment.within()
        with signing_key(run.settings, run.credentials) as keys:
            bucket = run.bucket(self.deployment.records_bucket)
            ledger.extend(bucket, datetime.now(UTC) + HOUR + ledger.SETTLED, partial(detached, keys=keys))


@pytest.fixture(scope="module")
def period(cloud: LocalCloud) -> Iterator[Period]:
    """Made by the function's own entry point."""
    with pytest.MonkeyPatch.context() as environ:
        yield made(InProcessDeployment.of(cloud, "aws", environ))


def made(deployment: InProcessDeployment) -> Period:
    """Three hours of payments."""
    deployment.set(FIRST_HOUR=rfc3339(PERIOD.start), LOOK_BACK_HOURS="12")
    tables = deployment.tables
    tables.create(deployment.datasets.values())
    for number, hour in enumerate((REVISED, REFUSED, GOOD)):
        deployment.fill(hour.start, {"payments": 20, "identity": 0, "transactions": 0}, seed=number)
    condition = f"updated_at >= '{rfc3339(REFUSED.start)}' AND updated_at < '{rfc3339(REFUSED.end)}'"
    tables.sql(f"UPDATE `{tables.name}.payments` SET currency = 'euro' WHERE {condition}")
    for hour in PERIOD.hours():
        deployment.run({"window": {"start": rfc3339(hour.start), "end": rfc3339(hour.end)}})
        deployment.drain()
    deployment.fill(REVISED.start, {"payments": 3}, seed=77)  # late rows
    deployment.run({"action": "certify"})
    deployment.drain()
    deployment.run({"action": "certify"})
    deployment.within().records.returns().add(
        Returned(
            file_name=RETURNED,
            size=17,
            modified=0,
            archived=None,
            opened=None,
            signature="not encrypted",
            error=False,
            dataset="payments",
            start=REFUSED.start,
            revision=1,
            outcome="skipped",
        )
    )
    made = Period(deployment)
    made.extend_ledger()
    return made


@pytest.fixture(scope="module")
def archive(period: Period, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip file."""
    path = tmp_path_factory.mktemp("evidence") / "period.zip"
    result = period.evidence(path)
    assert result.exit_code == 1, result.output  # the refused hour needs attention
    return path


@pytest.fixture
def unpacked(archive: Path, tmp_path: Path) -> Path:
    """What Python's own program makes of it."""
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(archive), str(tmp_path / "period")], check=True)
    return tmp_path / "period"


def contents(archive: Path) -> dict[str, bytes]:
    """Every file in the archive, by Python's own reader."""
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}
