"""Commands that the function carries out: they need no key and no address of ours, and show what the function found."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.session import Session
from pipeline.settings import ENDPOINTS, Settings
from pipeline.window import Window
from tests.operation.operator import Operator

NEEDED = ("google_cloud_project", "records_bucket", "topic", "sftp_host", "sftp_user", "contracts_directory")
"""Settings of a laptop that asks the function: what it needs, and where it says that it acts."""

WITHOUT = {name.upper(): "" for name in Settings.model_fields if name not in NEEDED and name.upper() not in ENDPOINTS}
"""Everything else, absent."""


def _asked(operator: Operator, *words: str, code: int = 0, **settings: str) -> Any:
    result = operator.type(*words, "--json", **{**WITHOUT, **settings})
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_certify_is_carried_out_by_the_function_and_shown_here(operator: Operator) -> None:
    hour = operator.delivered(7)
    words = ("certify", "--start", hour, "--dataset", "payments")
    (certificate,) = _asked(operator, *words)
    here = operator.certify(hour)
    for name in ("verdict", "rows_planned", "rows_now", "files", "start", "end", "dataset", "revision"):
        assert certificate[name] == here[name]
    result = operator.type(*words, **WITHOUT)
    assert result.stdout == "1 deliveries: 1 certified\n"
    assert result.stderr == "Project local-psp, partner amazon@127.0.0.1: asking the function by amazon-pspp.\n"


def test_a_hole_that_is_found_on_demand_is_an_event_of_the_function(operator: Operator) -> None:
    hour = operator.hour(3)
    (certificate,) = _asked(operator, "certify", "--start", hour, "--dataset", "payments", code=1)
    assert (certificate["verdict"], certificate["republished"]) == ("missing", True)
    events = [event for event in operator.function.events() if event["event"] == "window.missing"]
    assert str(Window.hour(datetime.fromisoformat(hour))) in {event["window"] for event in events}
    operator.becomes(hour, "certified")


def test_keys_are_looked_at_by_the_function(operator: Operator) -> None:
    states = _asked(operator, "keys")
    assert states == operator.answer("keys")
    assert "usable" in operator.type("keys", **WITHOUT).stdout


def test_the_function_tries_its_own_setup(operator: Operator) -> None:
    tried = _asked(operator, "verify-setup")
    assert [check["what"] for check in tried] == [check["what"] for check in operator.answer("verify-setup")]
    assert "failed" not in {check["state"] for check in tried}


def test_collect_is_carried_out_by_the_function(operator: Operator) -> None:
    assert _asked(operator, "collect") == []
    assert operator.type("collect", **WITHOUT).stdout == "Nothing new.\n"


def test_an_error_in_the_function_is_the_commands_error(operator: Operator) -> None:
    with operator.secret("sftp-key", b"no key"):
        answer = _asked(operator, "verify-setup", code=1)
        assert [check["what"] for check in answer if check["state"] == "failed"]
    missing = _asked(operator, "certify", "--start", "2026-11-23T13:00:00Z", "--dataset", "none", code=2)
    assert missing["error"]["code"] == "message-rejected"


def test_a_function_that_does_not_answer_is_not_waited_for_for_ever(operator: Operator) -> None:
    operator.deployment.cloud.publisher.create_topic(name="projects/local-psp/topics/nobody-listens")
    answer = _asked(operator, "keys", "--wait", "1", code=3, TOPIC="nobody-listens")
    assert answer["error"]["code"] == "answer-missing"
    assert "within 1 s" in answer["error"]["message"]


def test_an_answer_is_a_record_that_is_created_once(operator: Operator) -> None:
    before = {blob.name for blob in operator.deployment.cloud.storage.list_blobs("records", prefix="answers/")}
    _asked(operator, "keys")
    after = {blob.name for blob in operator.deployment.cloud.storage.list_blobs("records", prefix="answers/")}
    (name,) = after - before
    assert name.startswith("answers/command-")
    assert name.endswith(".json")


def test_a_file_of_settings_is_read_and_wins_over_the_shell(operator: Operator, tmp_path: Path) -> None:
    written = operator.deployment.environment()
    file = tmp_path / "operator.env"
    file.write_text("".join(f"{name}='{value}'\n" for name, value in written.items()), encoding="utf-8")
    empty = {name.upper(): "" for name in Settings.model_fields}
    other = {**empty, "TOPIC": "of-another-partner", "RECORDS_BUCKET": "of-another-partner"}
    other |= dict.fromkeys(ENDPOINTS, "http://127.0.0.1:1")
    result = operator.type("keys", "--json", "--env-file", str(file), **other)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)
    assert json.loads(operator.type("status", "--json", "--env-file", str(file), **other).stdout)["cells"]
    assert operator.type("status", "--env-file", str(tmp_path / "absent")).exit_code == 2


def test_an_endpoint_that_a_file_of_settings_does_not_name_is_the_clouds(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a shell that was used with a local cloud would mix its store with production's warehouse."""
    for name, value in operator.deployment.environment().items():
        monkeypatch.setenv(name, value)
    written = {name: value for name, value in operator.deployment.environment().items() if name not in ENDPOINTS}
    file = tmp_path / "operator.env"
    file.write_text("".join(f"{name}='{value}'\n" for name, value in written.items()), encoding="utf-8")
    settings = Session(as_json=True, env_file=file).deployment.settings
    assert [getattr(settings, name.lower()) for name in ENDPOINTS] == [""] * len(ENDPOINTS)
    assert not set(ENDPOINTS) & set(os.environ)


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_deliver_says_where_it_acts_asks_and_does_nothing_on_no(operator: Operator, answer: str) -> None:
    hour = operator.hour(3)
    result = operator.type("deliver", "--here", "--start", hour, "--dataset", "payments", typed=answer)
    assert result.exit_code == 1
    assert "Project local-psp, partner amazon@127.0.0.1: 1 deliveries from this machine." in result.stderr
    assert not operator.records(hour)
    assert operator.type("deliver", "--start", hour).exit_code == 2
