"""Events are what Cloud Logging reads: one JSON object a line, severity, message, labels, trace, execution."""

from __future__ import annotations

import ast
import base64
import http.client
import io
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from localcloud.cloud import PROJECT
from localcloud.processes import repository
from pipeline import log
from pipeline.errors import SourceNotReady
from tests.operation.operator import Operator

SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
"""https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity"""

TRACE = "105445aa7843bc8bf206b12000100000"


def test_an_event_is_one_line_with_the_fields_that_cloud_logging_lifts_out() -> None:
    stream = io.StringIO()
    with log.written_to(stream), log.bound(trace="projects/p/traces/t", message_id="7", dataset="payments", part=None):
        log.emit("upload.completed", "two\nlines", rows=3, nothing=None)
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert datetime.fromisoformat(event.pop("time")).tzinfo == UTC
    assert event == {
        "severity": "INFO",
        "message": "two\nlines",
        "event": "upload.completed",
        "message_id": "7",
        "dataset": "payments",
        "rows": 3,
        "logging.googleapis.com/labels": {"message_id": "7", "dataset": "payments"},
        "logging.googleapis.com/trace": "projects/p/traces/t",
    }


def test_every_event_has_a_severity_that_cloud_logging_knows_and_a_sentence() -> None:
    for name, event in log.EVENTS.items():
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", name)
        assert event.severity in SEVERITIES
        assert event.meaning.endswith(".")


def test_an_event_that_is_not_in_the_table_cannot_be_written() -> None:
    with pytest.raises(KeyError):
        log.emit("window.forgotten")


def test_every_event_in_the_table_is_written_somewhere_and_no_other() -> None:
    written: set[str] = set()
    for path in [repository() / "main.py", *(repository() / "pipeline").rglob("*.py")]:
        names = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        stages = {
            f"{stage}.{end}" for stage in re.findall(r'run\.stage\(\s*"(\w+)"', path.read_text()) for end in _ENDS
        }
        if path.name != "log.py":
            written |= {name for name in names if isinstance(name, str) and name in log.EVENTS} | stages
    assert written == set(log.EVENTS)


_ENDS = ("started", "completed", "failed")


def test_a_stage_that_fails_says_why_whether_it_is_tried_again_and_how_long_it_took() -> None:
    stream = io.StringIO()
    with log.written_to(stream), pytest.raises(SourceNotReady), log.stage("plan", revision=2):
        raise SourceNotReady("Not yet.")
    started, failed = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (started["event"], failed["event"]) == ("plan.started", "plan.failed")
    assert (failed["code"], failed["retryable"], failed["revision"]) == ("source-not-ready", True, 2)
    assert failed["seconds"] >= 0


def test_events_go_to_stdout_again_when_the_block_that_sent_them_elsewhere_is_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with log.written_to(None):
        log.emit("run.started")
    with log.written_to(sys.stderr):
        log.emit("run.completed")
    log.emit("delivery.empty")
    shown = capsys.readouterr()
    assert [json.loads(line)["event"] for line in shown.out.splitlines()] == ["delivery.empty"]
    assert [json.loads(line)["event"] for line in shown.err.splitlines()] == ["run.completed"]


def test_every_event_of_a_request_carries_its_trace_its_execution_and_its_message(operator: Operator) -> None:
    message = {
        "data": base64.b64encode(b'{"action": "keys"}').decode(),
        "messageId": "traced-1",
        "publishTime": datetime.now(UTC).isoformat(),
    }
    headers = {
        "Content-Type": "application/json",
        "X-Cloud-Trace-Context": f"{TRACE}/1;o=1",
        "Function-Execution-Id": "execution-1",
    }
    connection = http.client.HTTPConnection(urlsplit(operator.function.url).netloc, timeout=60)
    connection.request("POST", "/", json.dumps({"message": message}), headers)
    assert connection.getresponse().status == 204
    events = [event for event in operator.function.events() if event.get("message_id") == "traced-1"]
    assert [events[0]["event"], events[-1]["event"]] == ["run.started", "run.completed"]
    assert {event["event"] for event in events} >= {"keys.started", "key.usable", "keys.completed"}
    for event in events:
        labels = event["logging.googleapis.com/labels"]
        assert event["logging.googleapis.com/trace"] == f"projects/{PROJECT}/traces/{TRACE}"
        assert labels == {"execution_id": "execution-1", "message_id": "traced-1"}


def test_a_log_file_is_added_to_and_stdout_stays_clean(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    for _ in range(2):
        json.loads(operator.run("keys", "--json", "--log", str(file)).stdout)
    names = [json.loads(line)["event"] for line in file.read_text().splitlines()]
    assert names.count("keys.completed") == 2
