"""The source archive: what the function needs, nothing else, and built again only when it changes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from .offline import Deployment


def _object(deployment: Deployment) -> str:
    source = deployment.one("google_cloudfunctions2_function", "share")["build_config"][0]["source"][0]
    name: str = source["storage_source"][0]["object"]
    assert name == deployment.one("google_storage_bucket_object", "source")["name"]
    return name


def test_the_archive_holds_the_function_and_nothing_else(example: Deployment) -> None:
    source = example.work / "copy"
    expected = {"main.py", "requirements.txt"} | {
        path.relative_to(source).as_posix()
        for path in (source / "pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    (built,) = example.archives()
    with zipfile.ZipFile(built) as archive:
        assert set(archive.namelist()) == expected
        assert all(archive.read(name) == (source / name).read_bytes() for name in expected)


def test_unpacked_alone_it_is_a_function_named_handle(example: Deployment, tmp_path: Path) -> None:
    (built,) = example.archives()
    with zipfile.ZipFile(built) as archive:
        archive.extractall(tmp_path)
    program = "import functions_framework; functions_framework.create_app('handle', 'main.py', 'http')"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_function_is_built_again_when_its_source_changes_and_only_then(example: Deployment) -> None:
    source = example.work / "copy"
    before = _object(example)
    (source / "pipeline" / "__pycache__").mkdir(exist_ok=True)
    (source / "pipeline" / "__pycache__" / "log.cpython-313.pyc").write_bytes(b"\x00")
    (source / "pipeline" / ".DS_Store").write_bytes(b"\x00")
    (source / "tests").mkdir(exist_ok=True)
    (source / "tests" / "test_more.py").write_text("")
    assert example.plan() == ([], {})

    contract = source / "pipeline" / "contracts" / "payments.yaml"
    text = contract.read_text(encoding="utf-8")
    contract.write_text(f"{text}# changed\n", encoding="utf-8")
    try:
        changes, _ = example.plan()
    finally:
        contract.write_text(text, encoding="utf-8")
    (uploaded,) = (change for change in changes if change.type == "google_storage_bucket_object")
    assert uploaded.after["name"] != before
    (function,) = (change for change in changes if change.type == "google_cloudfunctions2_function")
    assert function.actions == ("update",)
