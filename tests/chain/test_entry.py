"""The entry point: a return acknowledges, a raise asks for another delivery, and neither tells a row."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Request

import main
from pipeline import log
from pipeline.errors import ContractInvalid, SettingsInvalid
from pipeline.window import rfc3339
from tests.deployment import InProcessDeployment, envelope, pushed
from tests.sample_contract import CONTRACT

MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "no JSON": (envelope(b"now"), "the data is not JSON in UTF-8"),
    "an unknown field": (envelope({"dataset": ["payments"]}), "dataset: no such field"),
    "half a character": (envelope(b'{"datasets": ["\\ud800"]}'), '"datasets" names "\\ud800"'),
    "data that is a number": ({**envelope(), "data": 7}, "data is not text"),
    "data that is false": ({**envelope(), "data": False}, "data is not text"),
    "data that is an object": ({**envelope(), "data": {"window": {}}}, "data is not text"),
    "data that is a list": ({**envelope(), "data": []}, "data is not text"),
    "published in the year 1": ({**envelope(), "publishTime": "0001-01-01T00:00:00+12:00"}, "no publish time"),
    "published in the year 9999": ({**envelope(), "publishTime": "9999-12-31T23:59:59-12:00"}, "no publish time"),
    "published tomorrow": (
        {**envelope(), "publishTime": rfc3339(datetime.now(UTC) + timedelta(days=2))},
        "in the future",
    ),
    "no base64": ({**envelope(), "data": "%%%"}, "not base64"),
    "no publish time": ({**envelope(), "publishTime": ""}, "no publish time"),
    "no message at all": ({}, "no publish time"),
    "too old": (
        {**envelope(), "publishTime": rfc3339(datetime.now(UTC) - timedelta(hours=37))},
        "more than 1 day, 12:00:00 ago",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_message_that_can_never_succeed_is_acknowledged_and_rejected_with_its_reason(
    deployment: InProcessDeployment, case: str
) -> None:
    message, reason = MALFORMED[case]
    ran = deployment.handle(message)
    assert ran.error is None
    assert ran.names == ["run.started", "message.rejected", "run.completed"]
    (rejected,) = map(json.loads, deployment.rejected())
    data = message.get("data", "")
    assert (rejected["code"], rejected["data"]) == ("message-rejected", data if isinstance(data, str) else "")
    assert rejected["message_id"] == message.get("messageId", rejected["message_id"])
    assert reason in rejected["reason"]
    assert reason in ran.named("message.rejected")[0]["message"]


@pytest.mark.parametrize(
    "message",
    [
        envelope(json.dumps({"x" * 5_000_000: 1}).encode()),
        envelope(b"\xff" * 7_000_000),
        {**envelope(), "data": "\ud800" * 1_000_000},
        {**envelope(), "messageId": "9" * 200},
        {**envelope(), "messageId": "\ud800"},
        {**envelope(), "messageId": {"x" * 1_000_000: 1}},
    ],
    ids=["a long field", "garbage", "surrogates", "a long id", "a surrogate for an id", "an object for an id"],
)
def test_what_goes_to_the_rejected_topic_is_small_whatever_came(
    deployment: InProcessDeployment, message: dict[str, Any]
) -> None:
    ran = deployment.handle(message)
    assert ran.error is None
    (rejected,) = deployment.rejected()
    assert len(rejected) < 2_000_000
    assert max(len(json.dumps(event)) for event in ran.events) < 10_000
    content = json.loads(rejected)
    assert content["data_length"] == len(message["data"])
    assert content["data"][:1000] in ascii(message["data"])


@pytest.mark.parametrize("message", [None, "text", [], 7])
def test_an_event_that_carries_no_message_is_rejected(deployment: InProcessDeployment, message: object) -> None:
    ran = deployment.handle(message)
    assert (ran.error, len(ran.named("message.rejected"))) == (None, 1)


EVENT = {
    "specversion": "1.0",
    "id": "4711",
    "type": "google.cloud.pubsub.topic.v1.messagePublished",
    "source": "//pubsub.googleapis.com/projects/p/topics/t",
}


def _structured(body: dict[str, Any]) -> Request:
    event = {**EVENT, "datacontenttype": "application/json", "data": body}
    return pushed(json.dumps(event).encode(), **{"Content-Type": "application/cloudevents+json"})


def _binary(body: dict[str, Any]) -> Request:
    return pushed(body, **{f"ce-{name}": value for name, value in EVENT.items()})


@pytest.mark.parametrize("form", [pushed, _binary, _structured])
def test_a_raw_push_and_a_cloud_event_are_the_same_message(
    deployment: InProcessDeployment, form: Callable[[dict[str, Any]], Request]
) -> None:
    lines = io.StringIO()
    with log.written_to(lines):
        answer = main.handle(form({"message": envelope(b"now", "815"), "subscription": "projects/p/subscriptions/s"}))
    assert answer == ("", 204)
    assert [json.loads(line)["message_id"] for line in lines.getvalue().splitlines()] == ["815"] * 3
    (rejected,) = map(json.loads, deployment.rejected())
    assert "the data is not JSON in UTF-8" in rejected["reason"]


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"7", b"{}", b'{"specversion": "1.0", "data": "text"}'])
def test_a_post_without_a_message_is_rejected(deployment: InProcessDeployment, body: bytes) -> None:
    assert main.handle(pushed(body)) == ("", 204)
    (rejected,) = map(json.loads, deployment.rejected())
    assert "no publish time" in rejected["reason"]


def test_a_message_without_data_means_the_last_full_hour(deployment: InProcessDeployment) -> None:
    deployment.tables.create(deployment.datasets.values())
    ran = deployment.handle({key: value for key, value in envelope().items() if key != "data"})
    assert ran.named("fanout.completed")[0]["messages"] == 3


def test_a_rejection_that_cannot_be_published_is_tried_again(deployment: InProcessDeployment) -> None:
    deployment.set(REJECTED_TOPIC="no-such-topic")
    ran = deployment.run(b"now")
    assert ran.error is not None
    assert (ran.error.code, ran.error.retryable) == ("topic-unavailable", True)
    assert ran.names[-1] == "run.failed"


def test_settings_that_are_not_whole_fail_every_message_until_they_are(
    deployment: InProcessDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.tables.create(deployment.datasets.values())
    monkeypatch.delenv("SFTP_HOST")
    for _ in range(2):
        ran = deployment.run({})
        assert isinstance(ran.error, SettingsInvalid)
        assert "SFTP_HOST: is not set" in ran.named("run.failed")[0]["message"]
    monkeypatch.setenv("SFTP_HOST", "127.0.0.1")
    assert deployment.run({}).error is None


def test_a_contract_with_a_mistake_fails_every_message_with_its_place(deployment: InProcessDeployment) -> None:
    deployment.use(CONTRACT.replace("value: file}", "value: skip}"))
    ran = deployment.run({})
    assert isinstance(ran.error, ContractInvalid)
    assert "contract.yaml: schema[0].emptyWindow: 'skip' must be record" in ran.named("run.failed")[0]["message"]


def _defect(message: dict[str, Any]) -> bytes:
    raise RuntimeError("the value of a row")


def test_a_defect_is_reported_by_its_place_and_without_its_text(
    deployment: InProcessDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "_data", _defect)
    ran = deployment.run({})
    assert ran.error is not None
    assert (ran.error.code, ran.error.retryable) == ("function-crashed", True)
    assert ran.names == ["run.started", "run.crashed", "run.failed"]
    assert "RuntimeError at test_entry.py:" in ran.named("run.crashed")[0]["message"]
    assert "value of a row" not in json.dumps(ran.events) + repr(ran.error)
    assert (ran.error.__cause__, ran.error.__suppress_context__) == (None, True)


def test_every_event_of_a_run_carries_the_messages_id(deployment: InProcessDeployment) -> None:
    ran = deployment.deliver(deployment.load(), message_id="4711")
    assert {event["message_id"] for event in ran.events} == {"4711"}
    stage = ran.named("seal.completed")[0]
    assert stage["logging.googleapis.com/labels"]["dataset"] == "payments"
    assert (stage["rows"] > 0, stage["bytes"] > 0, stage["seconds"] > 0, stage["revision"]) == (True, True, True, 1)
