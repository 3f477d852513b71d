"""What the tests of the chain share."""

from __future__ import annotations

import pytest

from tests.deployment import InProcessDeployment


@pytest.fixture(params=["deployment", "openssh_deployment"], ids=["aws, direct", "openssh, rename"])
def any_deployment(request: pytest.FixtureRequest) -> InProcessDeployment:
    """A deployment for each server profile of the partner."""
    found: InProcessDeployment = request.getfixturevalue(request.param)
    return found
