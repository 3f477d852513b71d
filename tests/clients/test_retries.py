"""A service that is asked again and again is in the log: at once, and then once a minute."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
from google.api_core import exceptions as api

from pipeline import log
from pipeline.budget import Budget
from pipeline.clients import retries
from tests.deployment import InProcessDeployment, Ran

ALWAYS: Final = 10_000
FEW, MANY = 30, 40_000
"""Rows of a window: MANY are more than goes up in one request."""


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with log.written_to(stream):
        yield stream


def retried(ran: Ran) -> list[tuple[Any, Any]]:
    return [(event["service"], event["error"]) for event in ran.named("service.retry")]


@pytest.mark.parametrize(("match", "rows"), [("o\\?", FEW), ("uploadType=multi", FEW), ("upload_id=", MANY)])
def test_an_error_of_storage_that_passes_is_one_event(deployment: InProcessDeployment, match: str, rows: int) -> None:
    slot = deployment.load(count=rows)
    deployment.break_storage(match, "error", status=503, times=2)
    ran = deployment.deliver(slot, message_id="m")
    assert ran.error is None
    (event,) = ran.named("service.retry")
    assert (event["severity"], event["service"], event["message_id"]) == ("WARNING", "Cloud Storage", "m")


@pytest.mark.parametrize(
    ("method", "fault", "error"),
    [
        ("jobs.query", {"action": "refuse", "status": 500, "reason": "internalError"}, "InternalServerError"),
        ("CreateReadSession", {"action": "error"}, "ServiceUnavailable"),
    ],
)
def test_an_error_of_bigquery_that_lasts_is_in_the_log_before_the_budget_is_over(
    deployment: InProcessDeployment, method: str, fault: dict[str, Any], error: str
) -> None:
    slot = deployment.load()
    deployment.set(TIME_BUDGET_SECONDS="10")
    deployment.cloud.break_warehouse(method, times=ALWAYS, **fault)
    ran = deployment.deliver(slot)
    deployment.cloud.end_faults()
    assert ran.error is not None
    assert retried(ran) == [("BigQuery", error)]
    assert ran.named("service.retry")[0]["seconds"] < 5


def test_a_topic_that_fails_is_one_event_with_the_labels_of_the_run(deployment: InProcessDeployment) -> None:
    deployment.load()
    deployment.set(TIME_BUDGET_SECONDS="10")
    deployment.cloud.break_topics({"match": "Publish", "action": "error", "times": ALWAYS})
    ran = deployment.run({"window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T03:00:00Z"}}, message_id="m")
    deployment.cloud.end_faults()
    assert ran.error is not None
    (event,) = ran.named("service.retry")
    assert (event["service"], event["message_id"]) == ("Pub/Sub", "m")


def test_each_service_and_kind_of_error_is_said_once_a_minute_in_each_run(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("pipeline.clients.retries.time.monotonic", lambda: now[0])
    run, other = Budget(2000.0, 450.0), Budget(2001.0, 450.0)
    errors = (api.ServiceUnavailable("secret"), TimeoutError("secret"))
    note = retries.noting("BigQuery", run)
    for seconds in range(0, 125, 5):
        now[0] = 1000.0 + seconds
        for error in errors:
            note(error)
            retries.noting("BigQuery", run)(error)
    retries.noting("Pub/Sub", run)(errors[0])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(retries.noting("BigQuery", other), [errors[0]] * 50))
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(one["service"], one["error"], one["seconds"]) for one in found] == [
        *(("BigQuery", kind, seconds) for seconds in (0, 60, 120) for kind in ("ServiceUnavailable", "TimeoutError")),
        ("Pub/Sub", "ServiceUnavailable", 0),
        ("BigQuery", "ServiceUnavailable", 0),
    ]
    assert "secret" not in lines.getvalue()
