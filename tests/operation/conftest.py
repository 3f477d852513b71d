"""One world, and one function that serves it, for all tests of operation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.world import world
from tests.operation.office import OUTAGE, Office


@pytest.fixture(scope="package")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Everything up, every past hour complete, nothing in it; the function takes messages from the topic."""
    with world(tmp_path_factory.mktemp("operation")) as local:
        function = local.function(LOOK_BACK_HOURS=str(OUTAGE + 2))  # an hour may pass while the tests run
        made = Office(local, function)
        local.tables.complete(local.datasets, made.now)
        function.start()
        try:
            local.subscribe(function)
            yield made
        finally:
            function.stop()
