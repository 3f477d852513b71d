"""The deployment as Terraform would make it: applied offline by `tfcheck`, once for each set of variables.

`tfcheck` is looked for in the variable TFCHECK, else in the folder beside the repository. Where it or terraform is
missing, the tests of the applied state are not collected, the header of the run says so, and the tests of the text
remain. With TFCHECK set, as .ci/run sets it, a missing tool ends the run with an error.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DEPLOYED: Final = ("main.py", "requirements.txt", "pipeline", "terraform")

_BESIDE = ROOT.parent / "shared" / "tools" / "terraform" / "tfcheck"
TFCHECK: Final = Path(os.environ.get("TFCHECK") or _BESIDE)

CAN_APPLY: Final = TFCHECK.is_file() and shutil.which(os.environ.get("TERRAFORM", "terraform")) is not None

if os.environ.get("TFCHECK") and not CAN_APPLY:
    raise pytest.UsageError(f"TFCHECK is set to {TFCHECK}; that file, or terraform itself, is not there")

collect_ignore = [] if CAN_APPLY else ["test_applied.py", "test_source.py"]


def pytest_report_header() -> str:
    if CAN_APPLY:
        return f"terraform: applied by {TFCHECK.name}"
    return "terraform: no tfcheck or no terraform here, so only the text of the configuration is tested"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the state, as `terraform show -json` prints it."""

    type: str
    name: str
    key: str | None
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What an apply left: its resources, these and the outputs as text, and the source archive that it built."""

    resources: tuple[Resource, ...]
    text: str
    source: Path

    def all(self, kind: str, name: str | None = None) -> list[Resource]:
        """Every resource of a kind such as google_storage_bucket, and of a name where one is given."""
        return [found for found in self.resources if found.type == kind and name in (None, found.name)]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """The values of the only resource of this kind and name."""
        (found,) = self.all(kind, name)
        return found.values


def copy_of_the_repository(folder: Path) -> Path:
    """What is deployed, without the rest of the repository; raises FileNotFoundError where a part is missing."""
    for name in DEPLOYED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "build", ".terraform*"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    return folder


def apply(repository: Path, variables: Path, kept: Path) -> Deployment:
    """Apply a copy of the repository, and keep the source archive in `kept`."""
    shown = kept / "state.json"
    command: list[str | Path] = [TFCHECK, repository / "terraform", "--root", repository, "--var-file", variables]
    done = subprocess.run(
        [*command, "--apply", "--keep", "--json", shown], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (work,) = re.findall(r"^tfcheck: kept (.+)$", done.stdout, re.M)
    (archive,) = Path(work).glob("copy/terraform/build/*.zip")
    source = Path(shutil.copy(archive, kept))
    shutil.rmtree(work)
    state = json.loads(shown.read_text(encoding="utf-8"))["values"]
    managed = [item for item in state["root_module"]["resources"] if item["mode"] == "managed"]
    resources = tuple(Resource(item["type"], item["name"], item.get("index"), item["values"]) for item in managed)
    return Deployment(resources, json.dumps([managed, state["outputs"]]), source)


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The five values of terraform.tfvars.example."""
    repository = copy_of_the_repository(tmp_path_factory.mktemp("example"))
    return apply(repository, ROOT / "terraform" / "terraform.tfvars.example", tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Every option in use."""
    repository = copy_of_the_repository(tmp_path_factory.mktemp("everything"))
    return apply(repository, Path(__file__).with_name("everything.hcl"), tmp_path_factory.mktemp("kept"))


@pytest.fixture(params=["example", "everything"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Both, one after the other."""
    found: Deployment = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def unpacked(example: Deployment, tmp_path: Path) -> Path:
    """The source archive in an empty folder, as the build gets it."""
    with zipfile.ZipFile(example.source) as archive:
        archive.extractall(tmp_path)
    return tmp_path
