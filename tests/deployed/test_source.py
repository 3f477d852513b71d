"""What is deployed suffices: the source alone, installed from its requirements.txt alone, delivers."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud.deployment import local_deployment
from localcloud.opened import open_files
from localcloud.processes import repository
from localcloud.waiting import until
from pipeline.window import Window

DEPLOYED = ("main.py", "pipeline", "requirements.txt")


@pytest.fixture(scope="session")
def bare_python() -> Path:
    """An interpreter with requirements.txt and nothing else; kept under build/ until that file changes."""
    wanted = repository() / "requirements.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    kept = repository() / "build" / f"function-{version}-{hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]}"
    python = kept / "bin" / "python"
    if not (kept / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(kept)], check=True)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), "-m", "pip", "install", *quiet, "-r", str(wanted)], check=True)
        (kept / "ready").touch()
    return python


def test_the_source_alone_with_its_requirements_alone_delivers(bare_python: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in DEPLOYED:
        given = repository() / name
        if given.is_dir():
            shutil.copytree(given, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(given, source / name)
    window = Window.last_full_hour_before(datetime.now(UTC))
    with local_deployment(tmp_path / "cloud") as deployment:
        deployment.fill(window.start, {"identity": 20, "payments": 300, "transactions": 40})
        function = deployment.function(CONTRACTS_DIRECTORY=str(source / "pipeline" / "contracts"))
        function.source, function.python = source / "main.py", str(bare_python)
        function.start()
        try:
            deployment.subscribe(function)
            deployment.publish(b"{}")
            until(lambda: sum(event["event"] == "delivery.completed" for event in function.events()) == 3, function.log)
        finally:
            function.stop()
        opened = open_files(deployment, window)
    assert {name: one.identical for name, one in opened.items()} == dict.fromkeys(deployment.datasets, True)
