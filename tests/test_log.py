"""Events: a line of JSON each, as Cloud Logging reads them, with what is bound to the run."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline import log
from pipeline.errors import OutOfTime, during

SEVERITIES = ("DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL")
"""Those of Cloud Logging's LogSeverity that are in use."""


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with log.written_to(stream):
        yield stream


def events(lines: io.StringIO) -> list[dict[str, Any]]:
    """What was written, line by line."""
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    log.emit("run.started")
    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    assert (json.loads(line)["event"], captured.err) == ("run.started", "")


def test_an_event_has_severity_and_meaning_of_the_table_its_fields_and_a_time(lines: io.StringIO) -> None:
    log.emit("delivery.completed", rows=3, revision=2, part=None)
    (event,) = events(lines)
    assert event["severity"] == "NOTICE"
    assert event["message"] == log.EVENTS["delivery.completed"].meaning
    assert (event["rows"], event["revision"], "part" in event) == (3, 2, False)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(event["time"])).total_seconds() < 60


def test_a_text_of_several_lines_stays_one_line(lines: io.StringIO) -> None:
    text = "one\ntwo\r\nthree\u2028four\x85five \x00 💶"
    log.emit("run.failed", text)
    assert len(lines.getvalue().splitlines()) == 1
    assert events(lines)[0]["message"] == text


def test_a_text_that_utf8_cannot_hold_is_written_all_the_same() -> None:
    """JSON may carry half a surrogate pair, and a rejection quotes the message that it is about."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with log.written_to(stream):
        log.emit("message.rejected", 'names "\ud800"')
    stream.seek(0)
    assert json.loads(stream.read())["message"] == 'names "\ud800"'


def test_an_event_that_is_not_in_the_table_cannot_be_written(lines: io.StringIO) -> None:
    with pytest.raises(KeyError):
        log.emit("run.strated")
    assert lines.getvalue() == ""


def test_what_is_bound_to_the_run_stands_on_every_event_of_the_block_and_on_no_other(lines: io.StringIO) -> None:
    with log.bound(trace="projects/p/traces/t", message_id="1", execution_id=None):
        with log.bound(dataset="payments"):
            log.emit("run.started")
        log.emit("run.completed")
    log.emit("run.started")
    inner, outer, after = events(lines)
    assert inner["logging.googleapis.com/labels"] == {"message_id": "1", "dataset": "payments"}
    assert inner["logging.googleapis.com/trace"] == outer["logging.googleapis.com/trace"] == "projects/p/traces/t"
    assert (inner["dataset"], "dataset" in outer, "execution_id" in outer) == ("payments", False, False)
    assert "logging.googleapis.com/labels" not in after
    assert "logging.googleapis.com/trace" not in after


def test_a_stage_says_that_it_began_and_what_it_did_in_which_time(lines: io.StringIO) -> None:
    with log.stage("seal", part=1) as figures:
        figures.add(rows=5, bytes=70)
    began, done = events(lines)
    assert (began["event"], began["part"]) == ("seal.started", 1)
    assert (done["event"], done["part"], done["rows"], done["bytes"]) == ("seal.completed", 1, 5, 70)
    assert done["seconds"] >= 0


def test_a_stage_that_fails_says_why_and_passes_the_error_on(lines: io.StringIO) -> None:
    with pytest.raises(OutOfTime), log.stage("upload", part=1), during("upload", "payments r1"):
        raise OutOfTime("The time is over.")
    failed = events(lines)[-1]
    assert (failed["event"], failed["code"], failed["retryable"]) == ("upload.failed", "out-of-time", True)
    assert failed["message"].startswith("[out-of-time] upload payments r1: The time is over.")


def test_a_defect_in_a_stage_is_not_quoted(lines: io.StringIO) -> None:
    with pytest.raises(ZeroDivisionError), log.stage("seal"):
        raise ZeroDivisionError("a value of a row")
    assert [event["event"] for event in events(lines)] == ["seal.started"]


def test_events_can_be_sent_nowhere() -> None:
    with log.written_to(None):
        log.emit("run.started")


@pytest.mark.parametrize("name", log.EVENTS)
def test_every_event_says_what_it_means_to_whoever_is_on_call(name: str) -> None:
    event = log.EVENTS[name]
    assert event.meaning.endswith(".")
    assert event.severity in SEVERITIES


def test_alerts_are_on_nothing_less_than_a_warning() -> None:
    assert log.ALERTS
    assert {log.EVENTS[name].severity for name in log.ALERTS} <= {"WARNING", "ERROR", "CRITICAL"}
    assert {name for name, event in log.EVENTS.items() if event.severity == "CRITICAL"} <= set(log.ALERTS)
