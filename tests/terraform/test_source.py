"""The source archive: what the function needs, nothing else, and built again only when it changes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from .conftest import ROOT, Deployment, apply, copy_of_the_repository

EXAMPLE = ROOT / "terraform" / "terraform.tfvars.example"


def _object(deployment: Deployment) -> str:
    source = deployment.one("google_cloudfunctions2_function", "share")["build_config"][0]["source"][0]
    name: str = source["storage_source"][0]["object"]
    assert name == deployment.one("google_storage_bucket_object", "source")["name"]
    return name


def test_the_archive_holds_the_function_and_nothing_else(example: Deployment) -> None:
    expected = {"main.py", "requirements.txt"} | {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(example.source) as archive:
        assert set(archive.namelist()) == expected
        assert all(archive.read(name) == (ROOT / name).read_bytes() for name in expected)


def test_unpacked_alone_it_is_a_function_named_handle(unpacked: Path) -> None:
    program = "import functions_framework; functions_framework.create_app('handle', 'main.py', 'cloudevent')"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=unpacked, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_function_is_built_again_when_its_source_changes_and_only_then(example: Deployment, tmp_path: Path) -> None:
    repository = copy_of_the_repository(tmp_path / "repository")
    (repository / "pipeline" / "__pycache__").mkdir()
    (repository / "pipeline" / "__pycache__" / "log.cpython-313.pyc").write_bytes(b"\x00")
    (repository / "pipeline" / ".DS_Store").write_bytes(b"\x00")
    (repository / "tests").mkdir()
    (repository / "tests" / "test_more.py").write_text("")
    (tmp_path / "same").mkdir()
    assert _object(apply(repository, EXAMPLE, tmp_path / "same")) == _object(example)

    contract = repository / "pipeline" / "contracts" / "payments.yaml"
    contract.write_text(contract.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    (tmp_path / "other").mkdir()
    assert _object(apply(repository, EXAMPLE, tmp_path / "other")) != _object(example)
