"""The dbt project on this machine: an hour of raw rows into a local warehouse, and dbt over it.

    python -m localcloud.dbt --bigquery http://127.0.0.1:9050 --hour 0 --rows 200
    python -m localcloud.dbt --duckdb build/psp.duckdb --hour 1 --rows 200

The first builds in the local cloud's BigQuery with production's adapter, so that the function reads what dbt made; the
second in a file. dbt runs as a program out of `.venv-dbt`, since its pins differ from the function's.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import subprocess
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from localcloud.processes import repository
from localcloud.rawdata import START, raw_rows
from localcloud.warehouses import DuckDBFile, LocalBigQuery, Warehouse

ROOT: Final = repository()
PROJECT: Final = ROOT / "dbt"
PROGRAM: Final = ROOT / ".venv-dbt" / "bin" / "dbt"


class BuildFailed(RuntimeError):
    """dbt ended with an error; the text is what it printed."""


def build(warehouse: Warehouse, now: datetime, *selection: str) -> str:
    """Run `dbt build` as if the clock said `now`, and return what it printed.

    Raises BuildFailed when a model or a test failed. `selection` is passed on, such as "--select", "payments".
    """
    return run(warehouse, "build", *selection, now=now)


def run(
    warehouse: Warehouse,
    *command: str,
    now: datetime | None = None,
    given: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    project: Path = PROJECT,
) -> str:
    """Run any dbt command against the warehouse, with the variables `given` and `environ` added to the
    environment, and return what it printed.

    Raises BuildFailed.
    """
    variables = ({"now": now.isoformat()} if now else {}) | dict(given or {})
    extra = dict(environ or {})
    with TemporaryDirectory(prefix="dbt-") as scratch:
        # Unit tests hold for the project, whatever the rows: they have a run of their own.
        built = ["--exclude-resource-type", "unit_test"] if command[0] == "build" else []
        arguments = [*command, *built, *options(warehouse, project, Path(scratch)), "--vars", json.dumps(variables)]
        # What a project is parsed to does not depend on where the warehouse is, and of the variables on one alone.
        names = {**warehouse.environment, "BIGQUERY_EMULATOR_HOST": ""}
        names["DUCKDB_FILE"] = Path(warehouse.environment.get("DUCKDB_FILE", "")).name
        names["policy_tags"] = str(variables.get("policy_tags"))
        request = {
            "command": arguments,
            "environment": dict(environment(warehouse)) | extra,
            "parsed": json.dumps([str(project), _written(project), warehouse.target, names, extra]),
        }
        with _turn:
            process = _worker()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            ended = json.loads(process.stdout.readline())
    if not ended["succeeded"]:
        raise BuildFailed(ended["printed"])
    return str(ended["printed"])


def parse(warehouse: Warehouse) -> None:
    """Start dbt and parse the project for warehouses of this kind, so that the first build need not."""
    run(warehouse, "parse")


_turn = threading.Lock()


@cache
def _worker() -> subprocess.Popen[str]:
    """The process that runs dbt, started at first use."""
    process = subprocess.Popen(
        [PROGRAM.with_name("python"), "-P", Path(__file__).with_name("dbtworker.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    atexit.register(process.stdin.close)
    return process


def _written(project: Path) -> float:
    """When a file of the project was last written; then it is parsed anew."""
    return max(file.stat().st_mtime for file in project.rglob("*") if file.suffix in {".sql", ".yml"})


def options(warehouse: Warehouse, project: Path, scratch: Path) -> list[str]:
    """The options that every call of dbt takes; nothing is written beside the project."""
    places = ["--project-dir", project, "--profiles-dir", project, "--target-path", scratch, "--log-path", scratch]
    return [str(place) for place in places] + ["--target", warehouse.target]


def environment(warehouse: Warehouse) -> Mapping[str, str]:
    """The environment in which dbt finds the warehouse, and asks nothing of the network."""
    return os.environ | warehouse.environment | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_USE_COLORS": "false"}


def main() -> None:
    """Load one hour of raw rows and build."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.dbt", description=main.__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--bigquery", metavar="URL", help="the local cloud's BigQuery")
    where.add_argument("--duckdb", metavar="FILE", type=Path, help="a DuckDB file")
    parser.add_argument("--hour", type=int, default=0, help="which hour of raw rows to load; 0 is the first")
    parser.add_argument("--rows", type=int, default=200, help="new movements in that hour")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=datetime.fromisoformat, default=START, help="when hour 0 begins")
    given = parser.parse_args()
    warehouse: Warehouse = DuckDBFile(given.duckdb) if given.duckdb else LocalBigQuery(given.bigquery)
    warehouse.load(raw_rows(given.seed, given.hour, given.rows, given.start))
    print(build(warehouse, given.start + timedelta(hours=given.hour + 1, minutes=2)))


if __name__ == "__main__":
    main()
