"""What all tests share: keys, one local cloud for the session, and a corner of it for every test."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from localcloud.world import World, world
from pipeline.pgp.keyring import Keyring
from tests.keyrings import People, people, ring
from tests.tenant import Tenant, openssh

# Machines that test are slow and shared: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


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
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The cloud of this session, with the partner in both manners."""
    root = tmp_path_factory.mktemp("world")
    options = ["--log", str(root / "journal"), "--faults-file", str(root / "faults.json")]
    with world(root, partner_options=options, tables=False) as made:
        made.services["openssh"] = openssh(made)
        yield made


@pytest.fixture
def tenant(local: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """A corner with AWS's manners and direct publication."""
    made = Tenant.of(local, "aws", monkeypatch)
    yield made
    made.mend()


@pytest.fixture
def ordinary(local: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """A corner with an ordinary server and publication by renaming."""
    made = Tenant.of(local, "openssh", monkeypatch)
    yield made
    made.mend()
