"""Runs of dbt that several tests look at. A run takes seconds, so each is made once."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from localcloud.dbt import PROGRAM, PROJECT, build, environment, options
from localcloud.warehouses import DuckDBFile, Warehouse
from tests.dbt import story
from tests.dbt.rows import at
from tests.dbt.state import Mart, State, answer, state


@dataclass(frozen=True, slots=True)
class Run:
    """One run: the marts and watermark afterwards, what the marts should share, and a copy of the file."""

    state: State
    answer: dict[str, Mart]
    file: Path

    def copy(self, place: Path) -> DuckDBFile:
        """A warehouse of one's own that is as it was after this run."""
        return DuckDBFile(Path(shutil.copy(self.file, place / "psp.duckdb")))


@contextmanager
def held(warehouse: Warehouse, clock: datetime, after: str) -> Iterator[subprocess.Popen[str]]:
    """`dbt build` in a process of its own, which stands still since a table was made whose name has `after` in it."""
    with TemporaryDirectory(prefix="dbt-held-") as scratch:
        given = ["--exclude-resource-type", "unit_test", "--vars", f"{{now: '{clock.isoformat()}'}}"]
        dbt = subprocess.Popen(
            [PROGRAM, "build", *given, *options(warehouse, PROJECT, Path(scratch))],
            env={**environment(warehouse), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        with dbt:
            assert dbt.stdout is not None
            try:
                assert any("OK created sql " in line and after in line for line in dbt.stdout)
                dbt.send_signal(signal.SIGSTOP)
                yield dbt
            finally:
                dbt.kill()


def killed(warehouse: Warehouse, clock: datetime, after: str) -> None:
    """Run `dbt build` in a process of its own, and kill it when a table is made whose name has `after` in it."""
    with held(warehouse, clock, after) as dbt:
        pass
    assert dbt.returncode < 0


def released(dbt: subprocess.Popen[str]) -> str:
    """Let a run that stood still go on, and return what it printed. Raises AssertionError where it failed."""
    dbt.send_signal(signal.SIGCONT)
    printed = dbt.communicate()[0]
    assert dbt.returncode == 0, printed
    return printed


def overtaken(copy: Path, until: datetime, project: Path = PROJECT) -> Path:
    """A copy of the project whose run is overtaken: in its middle another one declares all complete until then."""
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("target", "logs"))
    model, end = (
        copy / "models/intermediate/payments/int_payments__changes.sql",
        f"timestamp '{until:%Y-%m-%d %H:%M:%S}'",
    )
    moved = f"update amazon_pspp.watermark set complete_until = {end} where complete_until < {end}"
    model.write_text(f'{{{{ config(pre_hook="{moved}") }}}}\n{model.read_text(encoding="utf-8")}', encoding="utf-8")
    return copy


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """The runs at two minutes past 14, 15, 16 and 17 o'clock over the four hours of the story."""
    place = tmp_path_factory.mktemp("story")
    warehouse = DuckDBFile(place / "psp.duckdb")
    made = []
    for hour in range(len(story.HOURS)):
        for rows in story.raw(hour):
            warehouse.load(rows)
        build(warehouse, at("14:02") + timedelta(hours=hour))
        copy = Path(shutil.copy(warehouse.path, place / f"after-{hour}.duckdb"))
        made.append(Run(state(warehouse), answer(warehouse), copy))
    return made
