"""Airflow's own operators as a peer: in a virtual environment of their own, in one process, without a scheduler.

`make bench` makes the environment once (a gigabyte, about a minute). What Airflow's scheduler adds between tasks, some
seconds each, is not measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from localcloud.processes import environment, repository
from pipeline.window import Window
from tests.bench.peers import COMPRESSION, Peer

HERE: Final = Path(__file__).parent
HOME: Final = repository() / "build" / "airflow"
INSTALLER: Final = "uv==0.9.13"
"""Finds versions that fit each other in seconds; pip needs an hour for these."""


@dataclass(frozen=True, slots=True)
class Operators:
    """The process, waiting for a window."""

    process: subprocess.Popen[str]

    def deliver(self, query: str) -> tuple[float, float]:
        """Seconds, and seconds of processor time, of one run over the rows of a query. Raises RuntimeError."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(query) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"Airflow's operators failed; their log is {HOME / 'operators.log'}.")
        seconds, processor = json.loads(answer)
        return float(seconds), float(processor)


def install() -> Path:
    """The interpreter of the environment, made where it is missing or its requirements have changed."""
    python, made_of, wanted = HOME / "bin" / "python", HOME / "made-of.txt", HERE / "requirements.txt"
    if not made_of.exists() or made_of.read_text() != wanted.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", INSTALLER], check=True)
        order = ["pip", "install", "--quiet", "--python", str(python), "--requirement", str(wanted)]
        subprocess.run([str(HOME / "bin" / "uv"), *order], check=True)
        made_of.write_text(wanted.read_text())
    return python


@contextmanager
def operators(peer: Peer) -> Iterator[Operators]:
    """The process with its imports done, connected to the same cloud as `peer`; ended with the block."""
    deployment, python = peer.deployment, install()
    partner, cloud = deployment.partner.ready, deployment.cloud
    identity = peer.directory / "identity"
    login = {"host": partner["host"], "port": partner["port"], "login": partner["user"]}
    google: dict[str, Any] = {"project": deployment.environment()["GOOGLE_CLOUD_PROJECT"], "is_anonymous": True}
    values = {
        "AIRFLOW_HOME": str(HOME / "home"),
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps({"conn_type": "google_cloud_platform", "extra": google}),
        "AIRFLOW_CONN_SSH_DEFAULT": json.dumps({"conn_type": "ssh", **login, "extra": {"key_file": str(identity)}}),
        "BIGQUERY_EMULATOR_HOST": cloud.address("bigquery", "rest"),
        "STORAGE_EMULATOR_HOST": cloud.address("storage", "url"),
        "STEPS": json.dumps(
            {
                "table": f"{deployment.tables.name}.airflow_staged",
                "bucket": deployment.archive_bucket,
                "gpg": peer.command(COMPRESSION, Path("SOURCE"), Path("TARGET")),
                "directory": deployment.name,
            }
        ),
    }
    with (HOME / "operators.log").open("w") as log:
        process = subprocess.Popen(
            [str(python), str(HERE / "steps.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(values),
        )
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"Airflow's operators do not start; their log is {HOME / 'operators.log'}.")
            yield Operators(process)
        finally:
            process.kill()
            process.wait()


def query(peer: Peer, window: Window) -> str:
    """The rows of an hour under the file's names, as a user would write it into a DAG."""
    dataset = peer.deployment.datasets["payments"]
    columns = ", ".join(f"{column.source} AS {column.name}" for column in dataset.columns)
    change = dataset.column(dataset.change).source
    return (
        f"SELECT {columns} FROM `{peer.deployment.tables.name}.{dataset.table}` "
        f"WHERE {change} >= TIMESTAMP '{window.start.isoformat()}' AND {change} < TIMESTAMP '{window.end.isoformat()}' "
        f"AND ({dataset.filter})"
    )
