"""The deployments that the tests look at, each applied once, offline, by `tfcheck`.

`tfcheck` is looked for in the variable TFCHECK, else in the folder beside the repository. Where it or terraform is
missing, the tests of the applied state are not collected, the header of the run says so, and the tests of the text
remain. Where promtool is missing, no query of an alert is evaluated.
With TFCHECK set, as .ci/run sets it, a missing tool ends the run with an error.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .offline import CAN_APPLY, ROOT, TFCHECK, Deployment, apply, copy_of_the_repository

EXAMPLE = f"-var-file={ROOT / 'terraform' / 'terraform.tfvars.example'}"

if os.environ.get("TFCHECK") and not CAN_APPLY:
    raise pytest.UsageError(f"TFCHECK is set to {TFCHECK}; that file, or terraform itself, is not there")

collect_ignore = (
    [] if CAN_APPLY else [f"test_{name}.py" for name in ("applied", "changes", "promises", "several", "source")]
)

if shutil.which("promtool") is None:
    collect_ignore.append("test_promises.py")


def pytest_report_header() -> str:
    if CAN_APPLY:
        return f"terraform: applied by {TFCHECK.name}"
    return "terraform: no tfcheck or no terraform here, so only the text of the configuration is tested"


@contextmanager
def _applied(factory: pytest.TempPathFactory, name: str, root: str, *variables: str) -> Iterator[Deployment]:
    deployment = apply(copy_of_the_repository(factory.mktemp(name)), root, *variables)
    yield deployment
    shutil.rmtree(deployment.work)


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The five values of terraform.tfvars.example."""
    with _applied(tmp_path_factory, "example", "terraform", EXAMPLE) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Every option in use."""
    with _applied(tmp_path_factory, "everything", "terraform/examples/everything") as deployment:
        yield deployment


@pytest.fixture(scope="session")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The least that can be deployed."""
    with _applied(tmp_path_factory, "smallest", "terraform/examples/smallest") as deployment:
        yield deployment


@pytest.fixture(scope="session")
def two_partners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Two deployments in one project."""
    with _applied(tmp_path_factory, "two", "terraform/examples/two_partners") as deployment:
        yield deployment


@pytest.fixture(params=["example", "everything"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """The example, then everything."""
    applied: Deployment = request.getfixturevalue(request.param)
    return applied


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of what is deployed, to be changed."""
    return copy_of_the_repository(tmp_path / "repository")
