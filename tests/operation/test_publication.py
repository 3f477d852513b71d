"""What certify leaves for people and outsiders: the ledger's pages, and the page of all deliveries."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.__main__ import main
from pipeline.window import HOUR
from tests.deployment import HOUR as THEN
from tests.deployment import InProcessDeployment


@pytest.fixture
def certified(deployment: InProcessDeployment) -> InProcessDeployment:
    """A deployment whose records of one delivery are two hours old, certified by the function."""
    slot = deployment.load()
    assert deployment.deliver(slot).error is None
    deployment.cloud.age(f"^{deployment.records_bucket}/", 2 * HOUR.total_seconds())
    assert deployment.run({"action": "certify"}).error is None
    return deployment


def copied(deployment: InProcessDeployment, folder: Path) -> Path:
    """A copy of the records bucket on disk."""
    for blob in deployment.cloud.storage.list_blobs(deployment.records_bucket):
        path = folder / blob.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob.download_as_bytes())
    return folder


def test_certify_makes_the_pages_that_are_due_and_the_command_walks_a_copy_of_them_offline(
    certified: InProcessDeployment, tmp_path: Path
) -> None:
    key = tmp_path / "key.asc"
    key.write_bytes(certified.cloud.signing_key.public)
    words = ["verify-records", str(copied(certified, tmp_path / "records")), "--key", str(key)]
    result = CliRunner().invoke(main, [*words, "--json"], env=dict.fromkeys(certified.environment()))
    assert result.exit_code == 1  # the tests' storage says that the records are older than they say themselves
    verified = json.loads(result.stdout)
    assert verified["pages"] >= 1
    assert {finding["kind"] for finding in verified["findings"]} == {"record dated otherwise"}
    assert "record dated otherwise" in CliRunner().invoke(main, words).stdout


def test_a_record_that_an_administrator_altered_is_named(certified: InProcessDeployment, tmp_path: Path) -> None:
    key = tmp_path / "key.asc"
    key.write_bytes(certified.cloud.signing_key.public)
    folder = copied(certified, tmp_path / "records")
    plan = next(folder.rglob("plan.json"))
    plan.write_text(plan.read_text(encoding="utf-8").replace('"rows": ', '"rows": 1'), encoding="utf-8")
    result = CliRunner().invoke(main, ["verify-records", str(folder), "--key", str(key)])
    assert result.exit_code == 1
    assert f"record altered {plan.relative_to(folder)}" in result.stdout


def test_the_function_leaves_the_page_of_all_deliveries_under_a_name_of_the_hour(
    certified: InProcessDeployment,
) -> None:
    name = f"status/{datetime.now(UTC).replace(minute=0):%Y/%m/%d/%H%M}.html"
    blob = certified.cloud.storage.bucket(certified.records_bucket).get_blob(name)
    assert blob is not None
    assert blob.content_type == "text/html; charset=utf-8"
    text = blob.download_as_bytes().decode()
    assert f"payments {THEN.start:%Y-%m-%d %H:%M} r1: certified, " in text
    ran = certified.run({"action": "certify"})
    assert ran.named("page.written") == []  # once an hour


def test_a_ledger_that_cannot_be_extended_holds_up_no_certificate(deployment: InProcessDeployment) -> None:
    slot = deployment.load()
    deployment.deliver(slot)
    deployment.cloud.age(f"^{deployment.records_bucket}/", 2 * HOUR.total_seconds())
    deployment.set(SIGNING_KEY_SECRET="no-such-secret")  # a name
    ran = deployment.run({"action": "certify"})
    assert ran.error is None
    (failed,) = ran.named("ledger.failed")
    assert failed["code"] == "credentials-unavailable"
    assert "r1/certificate-1" in deployment.records(slot)
    assert ran.named("page.written")
