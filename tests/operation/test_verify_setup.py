"""`verify-setup`: everything is tried for real, nothing is left behind, and what fails comes with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import session
from tests.operation.operator import Operator


def _failed(operator: Operator, **settings: str) -> dict[str, str]:
    return _details(operator.answer("verify-setup", code=1, **settings), "failed")


def _details(answer: list[dict[str, Any]], state: str) -> dict[str, str]:
    return {check["what"]: check["detail"] for check in answer if check["state"] == state}


def _traces(operator: Operator) -> list[object]:
    objects = [
        blob.name for bucket in ("archive", "records") for blob in operator.deployment.cloud.storage.list_blobs(bucket)
    ]
    return [*objects, *operator.deployment.received(), len(operator.deployment.rejected())]


@pytest.fixture(scope="module")
def sound(operator: Operator) -> list[dict[str, Any]]:
    """The answer about a deployment in which nothing is wrong."""
    answer: list[dict[str, Any]] = operator.answer("verify-setup")
    return answer


def test_a_sound_deployment_passes_and_nothing_is_left_behind(operator: Operator) -> None:
    before = _traces(operator)
    answer = operator.answer("verify-setup")
    assert {check["state"] for check in answer} == {"ok", "untried"}
    assert _traces(operator) == before
    names = [check["what"] for check in answer]
    for what in ("gpg", "secret sftp-key", "PGP keys", "bucket records", "topic amazon-pspp", "watermark of payments"):
        assert what in names
    assert "uploading to the partner" in [check["what"] for check in answer if check["state"] == "untried"]
    (server,) = [check["detail"] for check in answer if check["what"].startswith("partner's server")]
    assert "accepted of what it offers: key exchange curve25519-sha256" in server
    assert "ok" in operator.run("verify-setup").stdout


@pytest.mark.parametrize(
    ("setting", "value", "what", "advice"),
    [
        ("SFTP_KEY_SECRET", "absent", "secret absent", "gcloud secrets versions add absent"),
        ("ARCHIVE_BUCKET", "absent", "bucket absent", "does not find the bucket"),
        ("BIGQUERY_DATASET", "absent", "table local-psp.absent.payments", "absent"),
        ("SFTP_USER", "stranger", "partner's server 127.0.0.1", "does not accept our key"),
        ("SFTP_DIRECTORY", "absent", "partner's server 127.0.0.1", "SFTPNoSuchFile"),
        ("SFTP_PORT", "1", "partner's server 127.0.0.1", "The connection to amazon@127.0.0.1:1 failed"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do_and_stops_no_other_check(
    operator: Operator, sound: list[dict[str, Any]], setting: str, value: str, what: str, advice: str
) -> None:
    answer = operator.answer("verify-setup", code=1, **{setting: value})
    assert advice in _details(answer, "failed")[what]
    assert len(answer) == len(sound)


@pytest.mark.parametrize(
    ("setting", "service", "first", "later"),
    [
        ("PUBSUB_EMULATOR_HOST", "Pub/Sub", "topic amazon-pspp", 1),
        ("BIGQUERY_EMULATOR_HOST", "BigQuery", "table local-psp.amazon_pspp.identity", 8),
        ("STORAGE_EMULATOR_HOST", "Cloud Storage", "contract identity 1.0.1", 4),
        ("SECRET_MANAGER_EMULATOR_HOST", "Secret Manager", "secret pgp-partner-key", 6),
    ],
)
def test_a_service_that_does_not_answer_is_waited_for_once_and_fails_no_other_check(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, setting: str, service: str, first: str, later: int
) -> None:
    monkeypatch.setattr(session, "PATIENCE", 1.0)
    nowhere = f"{'http://' if setting.startswith(('BIGQUERY', 'STORAGE')) else ''}127.0.0.1:1"
    answer = operator.answer("verify-setup", code=1, **{setting: nowhere})
    failed = _details(answer, "failed")
    assert list(failed) == [first]
    assert f"{service} did not answer" in failed[first]
    untried = list(_details(answer, "untried").values())
    assert untried.count(f"{service} did not answer before.") == later


def test_a_table_that_lacks_a_column_of_its_contract_fails(operator: Operator, tmp_path: Path) -> None:
    for path in operator.deployment.contracts_directory.glob("*.yaml"):
        text = path.read_text().replace("physicalName: payment_id", "physicalName: payment_number", 1)
        (tmp_path / path.name).write_text(text)
    failed = _failed(operator, CONTRACTS_DIRECTORY=str(tmp_path))
    assert "Compare the contract's columns" in failed["table local-psp.amazon_pspp.payments"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("value: in_program", "value: customer_id"), "The filter of payments is STRING, not BOOL"),
        (("value: in_program", "value: in_programme"), "Unrecognized name: in_programme; Did you mean in_program?"),
        (("physicalType: TIMESTAMP", "physicalType: DATE"), "created_at is TIMESTAMP and not DATE"),
    ],
)
def test_a_contract_that_does_not_fit_its_table_is_reported_before_the_first_delivery(
    operator: Operator, tmp_path: Path, wrong: tuple[str, str], said: str
) -> None:
    for path in operator.deployment.contracts_directory.glob("*.yaml"):
        text = path.read_text()
        if path.stem == "payments":
            first, rest = text.split("- name: payment_id", 1)
            text = f"{first.replace(*wrong)}- name: payment_id{rest.replace(*wrong, 1)}"
            text = (
                text.replace("          minLength: 1\n          maxLength: 64\n", "", 1)
                if "INT64" in wrong[1]
                else text
            )
        (tmp_path / path.name).write_text(text)
    failed = _failed(operator, CONTRACTS_DIRECTORY=str(tmp_path))
    assert said in failed["types and filter of payments"]
