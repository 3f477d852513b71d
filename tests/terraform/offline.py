"""Terraform without a cloud: a copy of the repository, stand-in providers, and what a plan or a state says.

`tfcheck` prepares the folder (providers, first plan, apply); later plans run in that folder with its state.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
DEPLOYED: Final = ("main.py", "requirements.txt", "pipeline", "terraform")

TFCHECK: Final = Path(os.environ.get("TFCHECK") or ROOT.parent / "shared" / "tools" / "terraform" / "tfcheck")
TERRAFORM: Final = shutil.which(os.environ.get("TERRAFORM", "terraform"))
CAN_APPLY: Final = TFCHECK.is_file() and TERRAFORM is not None


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the state, as `terraform show -json` prints it."""

    address: str
    type: str
    name: str
    key: str | None
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What a plan would do with one resource."""

    address: str
    type: str
    actions: tuple[str, ...]
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A root configuration that was applied: its resources, its outputs, and the folder for further plans."""

    folder: Path
    work: Path
    variables: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Everything that the state says, to be searched."""
        return json.dumps([[resource.values for resource in self.resources], self.outputs])

    def all(self, kind: str, name: str | None = None) -> list[Resource]:
        """Every resource of a kind such as google_storage_bucket, and of a name where one is given."""
        return [resource for resource in self.resources if resource.type == kind and name in (None, resource.name)]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """The values of the only resource of this kind and name."""
        (resource,) = self.all(kind, name)
        return resource.values

    def archives(self) -> list[Path]:
        """The source archives that were built."""
        return sorted(self.work.glob("copy/terraform/module/build/*.zip"))

    def terraform(self, *words: str) -> str:
        """Run terraform in the folder and return what it prints; an AssertionError where it fails."""
        environment = {
            **os.environ,
            "TF_CLI_CONFIG_FILE": str(self.work / "terraformrc"),
            "TF_DISABLE_PLUGIN_TLS": "1",
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "TFCHECK_ROOT": str(self.work / "copy"),
        }
        done = subprocess.run(
            [str(TERRAFORM), *words], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def plan(self, *options: str) -> tuple[list[Change], dict[str, Any]]:
        """What another plan would change in resources, and in outputs; `options` are terraform's own."""
        self.terraform("plan", "-input=false", "-no-color", "-out=again", *self.variables, *options)
        shown = json.loads(self.terraform("show", "-json", "again"))
        changes = [
            Change(
                change["address"],
                change["type"],
                tuple(change["change"]["actions"]),
                change["change"]["before"] or {},
                change["change"]["after"] or {},
            )
            for change in shown.get("resource_changes", [])
            if change["change"]["actions"] not in (["no-op"], ["read"])
        ]
        outputs = {
            name: change
            for name, change in shown.get("output_changes", {}).items()
            if change["actions"] not in (["no-op"], ["read"])
        }
        return changes, outputs


def copy_of_the_repository(folder: Path) -> Path:
    """What is deployed, without the rest of the repository; raises FileNotFoundError where a part is missing."""
    ignored = shutil.ignore_patterns("__pycache__", "build", ".terraform*", "tests")
    for name in DEPLOYED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True, ignore=ignored)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    return folder


def apply(repository: Path, root: str = "terraform", *variables: str) -> Deployment:
    """Apply one root of a copy of the repository; its working folder is the caller's to remove."""
    shown = repository / "state.json"
    command: list[str | Path] = [TFCHECK, repository / root, "--root", repository, "--apply", "--keep", "--json", shown]
    for variable in variables:
        option, _, value = variable.partition("=")
        command += [f"-{option}", value]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (work,) = re.findall(r"^tfcheck: kept (.+)$", done.stdout, re.M)
    state = json.loads(shown.read_text(encoding="utf-8"))["values"]
    outputs = {name: output.get("value") for name, output in state.get("outputs", {}).items()}
    return Deployment(
        Path(work) / "copy" / root, Path(work), variables, tuple(_resources(state["root_module"])), outputs
    )


def _resources(module: dict[str, Any]) -> Iterator[Resource]:
    for item in module.get("resources", []):
        if item["mode"] == "managed":
            yield Resource(item["address"], item["type"], item["name"], item.get("index"), item["values"])
    for child in module.get("child_modules", []):
        yield from _resources(child)
