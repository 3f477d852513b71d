"""One deployment, and a function that serves it, for all tests of operation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.deployment import local_deployment
from tests.operation.operator import OUTAGE, Operator


@pytest.fixture(scope="package")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Everything up, every past hour complete, nothing in it; the function takes messages from the topic."""
    with local_deployment(tmp_path_factory.mktemp("operation")) as deployment:
        deployment.overrides["FIRST_HOUR"] = "2026-01-01T00:00:00Z"  # every hour of the tests is due
        function = deployment.function(LOOK_BACK_HOURS=str(OUTAGE + 2))  # an hour may pass while the tests run
        made = Operator(deployment, function)
        deployment.tables.complete(deployment.datasets, made.now)
        function.start()
        try:
            deployment.subscribe(function)
            yield made
        finally:
            function.stop()
