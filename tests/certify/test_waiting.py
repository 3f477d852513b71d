"""Rows that wait in quarantine: the certificate of each hour that lacks some says so, an alert tells, status shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.__main__ import main as command
from pipeline.window import HOUR, Slot, rfc3339
from tests.certify.conftest import Certifying


@pytest.fixture
def slot(certifying: Certifying) -> Slot:
    """A slot that is delivered."""
    slot = certifying.deployment.load()
    assert certifying.deployment.deliver(slot).error is None
    return slot


def _wait(one: Certifying, rows: int, since: str) -> None:
    """What dbt leaves in the table."""
    table = f"`{one.deployment.tables.name}.quarantine`"
    values = f"'payments' AS dataset, {rows} AS row_count, {since} AS waiting_since"
    one.deployment.tables.sql(f"CREATE OR REPLACE TABLE {table} AS SELECT {values}")


def test_the_certificate_of_an_hour_that_lacks_rows_says_how_many_and_since_when(
    certifying: Certifying, slot: Slot
) -> None:
    _wait(certifying, 3, f"TIMESTAMP '{rfc3339(slot.window.end)}'")
    ran = certifying.certify(slot)
    certificate = certifying.latest(slot)
    assert certificate["verdict"] == "certified"
    assert certificate["waiting"] == {"rows": 3, "since": rfc3339(slot.window.end)}
    (alert,) = ran.named("rows.waiting")
    assert (alert["severity"], alert["dataset"], alert["rows"]) == ("WARNING", "payments", 3)


def test_an_hour_from_before_they_waited_lacks_nothing(certifying: Certifying, slot: Slot) -> None:
    _wait(certifying, 3, f"TIMESTAMP '{rfc3339(slot.window.end + HOUR)}'")
    assert certifying.certify(slot).named("rows.waiting")
    assert certifying.latest(slot)["waiting"] is None


@pytest.mark.parametrize(
    ("rows", "since", "waiting"),
    [(0, "CAST(NULL AS TIMESTAMP)", None), (1, "CAST(NULL AS TIMESTAMP)", {"rows": 1, "since": None})],
)
def test_no_rows_are_none_and_an_unknown_time_is_left_open(
    certifying: Certifying, slot: Slot, rows: int, since: str, waiting: object
) -> None:
    _wait(certifying, rows, since)
    assert bool(certifying.certify(slot).named("rows.waiting")) is bool(rows)
    assert certifying.latest(slot)["waiting"] == waiting


def test_a_warehouse_without_the_table_has_nothing_to_say(certifying: Certifying, slot: Slot) -> None:
    assert certifying.certify(slot).named("rows.waiting", "rows.uncounted") == []
    assert certifying.latest(slot)["waiting"] is None


def test_a_table_that_cannot_be_read_stops_nothing_and_is_reported(certifying: Certifying, slot: Slot) -> None:
    certifying.deployment.tables.sql(f"CREATE TABLE `{certifying.deployment.tables.name}.quarantine` (other STRING)")
    (told,) = certifying.certify(slot).named("rows.uncounted")
    assert told["code"] == "source-unavailable"
    assert certifying.latest(slot)["verdict"] == "certified"


def test_another_number_is_no_news_of_an_hour_that_is_certified(certifying: Certifying, slot: Slot) -> None:
    certifying.certify(slot)
    before = certifying.deployment.records(slot)
    _wait(certifying, 2, f"TIMESTAMP '{rfc3339(slot.window.end)}'")
    certifying.certify(slot)
    assert certifying.deployment.records(slot) == before


def test_status_its_page_and_a_typed_certify_show_the_rows_that_wait(
    certifying: Certifying, slot: Slot, tmp_path: Path
) -> None:
    _wait(certifying, 3, f"TIMESTAMP '{rfc3339(slot.window.end)}'")
    start = rfc3339(slot.window.start)
    typed = CliRunner().invoke(command, ["certify", "--here", "--start", start, "--dataset", "payments"])
    sentence = f"3 rows wait in quarantine since the hour that ended at {slot.window.end:%Y-%m-%d %H:%M}"
    assert sentence in " ".join(typed.output.split())
    page = tmp_path / "page.html"
    shown = CliRunner().invoke(command, ["status", "payments", "--hours", "4", "--html", str(page)])
    assert shown.exit_code == 1
    assert sentence in " ".join(shown.output.split())
    assert sentence in page.read_text(encoding="utf-8")
    assert "3 rows in quarantine" in page.read_text(encoding="utf-8")
    one = CliRunner().invoke(command, ["status", "payments", start])
    assert sentence in " ".join(one.output.split())
