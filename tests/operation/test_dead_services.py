"""A service that nobody answers for is said on a terminal after half a minute, whatever the command."""

from __future__ import annotations

import time
from typing import Final

import pytest

from localcloud.gate import gate
from pipeline.cli import session
from tests.operation.operator import Operator

PATIENCE: Final = 2.0
"""Seconds instead of the usual 30."""

BUDGET: Final = 450.0
"""Seconds that a command took, less or more, before it had patience of its own."""


def test_patience_at_a_terminal_is_half_a_minute() -> None:
    assert session.PATIENCE == 30.0


@pytest.mark.parametrize(
    ("setting", "service", "words"),
    [
        ("STORAGE_EMULATOR_HOST", "Cloud Storage", ("status",)),
        ("STORAGE_EMULATOR_HOST", "Cloud Storage", ("status", "payments", "{hour}")),
        ("STORAGE_EMULATOR_HOST", "Cloud Storage", ("certify", "--start", "{hour}")),
        ("STORAGE_EMULATOR_HOST", "Cloud Storage", ("deliver", "--start", "{hour}", "--dataset", "payments")),
        ("PUBSUB_EMULATOR_HOST", "Pub/Sub", ("republish", "--start", "{hour}", "--dataset", "payments", "--yes")),
        ("BIGQUERY_EMULATOR_HOST", "BigQuery", ("deliver", "--start", "{hour}", "--dataset", "payments")),
        ("SECRET_MANAGER_EMULATOR_HOST", "Secret Manager", ("keys",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_service_that_never_answers_is_named_long_before_the_budget_is_over(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, setting: str, service: str, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(session, "PATIENCE", PATIENCE)
    hour = operator.hour()
    address = operator.deployment.environment()[setting]
    scheme = "http://" if address.startswith("http://") else ""
    with gate(address.removeprefix("http://")) as silent:
        silent.close(BUDGET)
        began = time.monotonic()
        result = operator.run(*(word.format(hour=hour) for word in words), **{setting: f"{scheme}{silent.address}"})
        seconds = time.monotonic() - began
    assert result.exit_code not in (0, 2), result.output
    assert f"{service} did not answer" in " ".join(result.output.split())
    assert seconds < BUDGET / 4
