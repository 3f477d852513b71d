"""What all tests share: keys, one local cloud for each worker of a session, and a deployment in it for every test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from localcloud.cloud import LocalCloud, local_cloud
from pipeline.pgp.keyring import Keyring
from tests import browser
from tests.deployment import InProcessDeployment
from tests.keyrings import People, people, ring

# Machines that test are slow and shared: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

TESTS: Final = Path(__file__).parent
SHARED: Final = ("operation",)
"""Directories whose files share a deployment: one worker of pytest-xdist runs all of them, from the start."""


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
    """Gives workers whole files, or whole directories where files share a deployment."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        directory = file.removeprefix("tests/").partition("/")[0]
        return directory if directory in SHARED else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduler:
    """Distribute as `Scheduler` says, in the order of collection."""
    config.option.loadscopereorder = False
    return Scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest; leave out what needs a browser where there is none."""
    if not browser.FOUND:
        pages = [item for item in items if "browser" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=pages)
        items[:] = [item for item in items if item not in pages]
    items.sort(key=lambda item: item.path.relative_to(TESTS).parts[0] not in SHARED)


@pytest.fixture(scope="session")
def who() -> People:
    """PGP keys of the partner, ours, and a stranger's."""
    return people()


@pytest.fixture
def keys(who: People) -> Iterator[Keyring]:
    """A key ring with the partner's key and ours."""
    with ring(who) as made:
        yield made


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The cloud of this session, with the partner's server in both profiles."""
    with local_cloud(tmp_path_factory.mktemp("cloud"), profiles=["aws", "openssh"]) as made:
        yield made


@pytest.fixture
def deployment(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcessDeployment]:
    """A deployment whose partner runs AWS Transfer; files are published directly."""
    yield InProcessDeployment.of(cloud, "aws", monkeypatch)
    cloud.end_faults()


@pytest.fixture
def openssh_deployment(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcessDeployment]:
    """A deployment whose partner runs OpenSSH; files are published by renaming."""
    yield InProcessDeployment.of(cloud, "openssh", monkeypatch)
    cloud.end_faults()
