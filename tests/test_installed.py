"""`pip install .` gives a command of its own that tells its version."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from localcloud.processes import repository
from pipeline import VERSION


def test_the_installed_package_has_a_command_that_tells_the_version(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(repository() / "pipeline", source / "pipeline")
    for name in ("main.py", "pyproject.toml", "requirements.txt", "README.md"):
        shutil.copy(repository() / name, source)
    build = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*build, "--target", str(target), str(source)], check=True)
    command = target / "bin" / "amazon-pspp"
    told = subprocess.run(
        [sys.executable, str(command), "--version"], env={"PYTHONPATH": str(target)}, capture_output=True, check=True
    )
    assert told.stdout.decode().strip() == VERSION
    assert list((target / "pipeline" / "contracts").glob("*.yaml"))


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((repository() / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "pipeline.VERSION"}
