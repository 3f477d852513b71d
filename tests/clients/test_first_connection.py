"""A network that carries nothing at first: every client waits for its first connection, and in the end says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

import pytest

from localcloud.gate import Gate, Way, gate
from pipeline import settings
from pipeline.budget import Budget
from pipeline.clients import directory
from pipeline.clients.ssh import Server
from pipeline.errors import PipelineError
from pipeline.run import Deployment, Run
from pipeline.window import Slot
from tests.deployment import InProcessDeployment

HOLE: Final = 6.0
BUDGET: Final = 32.0
PATIENCE: Final = 4.0
"""Seconds that a command at a terminal waits in these tests."""


def _partner(run: Run, deployment: InProcessDeployment) -> object:
    settings, cloud = run.settings, deployment.cloud
    keys = (cloud.login_key.private, cloud.server_key.public)
    server = Server(settings.sftp_host, settings.sftp_port, settings.sftp_user, deployment.name, *keys, run.budget)
    return directory.listing(server)


ASKED: Final[dict[str, Callable[[Run, Slot], object]]] = {
    "records": lambda run, slot: run.records.folder(slot),
    "archive": lambda run, slot: run.archive.write(f"{slot.folder}/first", [b"bytes"]),
    "warehouse": lambda run, slot: run.source.readiness(run.dataset(slot.dataset)),
    "rows": lambda run, slot: list(
        run.source.batches(
            run.dataset(slot.dataset), slot.window, run.source.readiness(run.dataset(slot.dataset)).snapshot
        )
    ),
    "secrets": lambda run, slot: run.credentials.read("pgp-partner-key"),
    "topic": lambda run, slot: run.topics.publish(run.settings.topic, [b"{}"]),
    "permission": lambda run, slot: run.topics.may_publish(run.settings.topic),
}
"""What is asked of each service first."""

VARIABLES: Final = {
    "storage": ("STORAGE_EMULATOR_HOST", "http://"),
    "bigquery": ("BIGQUERY_EMULATOR_HOST", "http://"),
    "reads": ("BIGQUERY_STORAGE_EMULATOR_HOST", ""),
    "secretmanager": ("SECRET_MANAGER_EMULATOR_HOST", ""),
    "pubsub": ("PUBSUB_EMULATOR_HOST", ""),
}


@pytest.fixture
def gates(deployment: InProcessDeployment) -> Iterator[list[Gate]]:
    """A gate before every service of the deployment."""
    with ExitStack() as ending:
        environment = deployment.environment()
        made = {
            name: ending.enter_context(gate(environment[variable].removeprefix("http://")))
            for name, (variable, _) in VARIABLES.items()
        }
        partner = ending.enter_context(gate(f"{environment['SFTP_HOST']}:{environment['SFTP_PORT']}"))
        deployment.set(
            **{variable: f"{prefix}{made[name].address}" for name, (variable, prefix) in VARIABLES.items()},
            SFTP_PORT=str(partner.port),
        )
        yield [*made.values(), partner]


def asked(
    deployment: InProcessDeployment, budget: Budget, slot: Slot, names: list[str]
) -> dict[str, tuple[float, PipelineError | None]]:
    """Each question put at once, each by a process that has not connected yet: seconds, and the error if any."""

    def ask(name: str) -> tuple[float, PipelineError | None]:
        began = time.monotonic()
        try:
            made = settings.from_environment()
            if name == "rows":  # else it would wait for both of BigQuery's APIs
                made = made.model_copy(update={"bigquery_emulator_host": deployment.cloud.address("bigquery", "rest")})
            run = Run(Deployment(made), budget)
            _partner(run, deployment) if name == "partner" else ASKED[name](run, slot)
        except PipelineError as error:
            return time.monotonic() - began, error
        return time.monotonic() - began, None

    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))


@pytest.mark.parametrize("way", ["silent", "cut"])
def test_every_client_waits_for_its_first_connection(
    deployment: InProcessDeployment, gates: list[Gate], way: Way
) -> None:
    slot = deployment.load()
    for one in gates:
        one.close(HOLE, "silent" if one is gates[-1] else way)  # an SSH server that hangs up has answered
    found = asked(deployment, Budget.of(BUDGET), slot, ["partner", *ASKED])
    assert {name: error for name, (_, error) in found.items() if error is not None} == {}
    assert min(seconds for seconds, _ in found.values()) > HOLE / 2
    assert all(one.refused for one in gates)


def test_on_a_terminal_a_service_that_does_not_answer_is_named_soon(
    deployment: InProcessDeployment, gates: list[Gate]
) -> None:
    slot = deployment.load()
    for one in gates:
        one.close(600)
    names = ["partner", *(name for name in ASKED if name != "rows")]  # a gRPC connection takes 20 s at least
    found = asked(deployment, Budget.of(600, patience=PATIENCE), slot, names)
    codes = {name: error.code if error else None for name, (_, error) in found.items()}
    assert codes == {
        "records": "archive-unavailable",
        "archive": "archive-unavailable",
        "warehouse": "source-unavailable",
        "secrets": "credentials-unreachable",
        "topic": "topic-unavailable",
        "permission": "topic-unavailable",
        "partner": "partner-unavailable",
    }
    assert max(seconds for seconds, _ in found.values()) < 60  # of a budget of 600
    assert all("did not answer" in str(error) for _, error in found.values()), found
