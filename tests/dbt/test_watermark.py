"""The watermark never says more than is there: failures, kills, parts of a run, clocks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from localcloud.dbt import BuildFailed, build, run
from localcloud.rawdata import raw_rows
from localcloud.warehouses import DuckDBFile
from tests.dbt import story
from tests.dbt.conftest import Run, killed, overtaken
from tests.dbt.rows import at, beneficiary, contact, loaded, payment, virtual_account
from tests.dbt.state import KEYS, answer, expected, log, settled, state
from tests.dbt.test_generated import looked_at_again

SOON = timedelta(minutes=2)
LAST_INSTANT = timedelta(microseconds=1)


def complete_until(clock: str) -> dict[str, object]:
    return dict.fromkeys(KEYS, at(clock))


def test_a_killed_run_leaves_the_watermark_and_the_next_run_completes_what_it_left(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[0].copy(tmp_path)
    for rows in story.raw(1):
        warehouse.load(rows)
    killed(warehouse, at("15:02"), "amazon_pspp.")
    assert state(warehouse).watermark == complete_until("14:00")

    build(warehouse, at("15:02"))
    assert state(warehouse) == runs[1].state
    assert settled(warehouse) == complete_until("14:00")

    build(warehouse, at("21:02"))
    assert settled(warehouse) == complete_until("21:00")
    assert state(warehouse).marts == runs[1].state.marts


def test_a_watermark_of_an_earlier_version_is_taken_as_settled(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    with duckdb.connect(warehouse.path) as connection:
        connection.execute("ALTER TABLE amazon_pspp.watermark DROP COLUMN settled_until; DROP TABLE amazon_pspp.runs")
    for rows in story.raw(1):
        warehouse.load(rows)
    build(warehouse, at("15:02"))
    assert state(warehouse) == runs[1].state
    assert settled(warehouse) == complete_until("15:00")
    assert not looked_at_again(warehouse, "payments", at("14:00"))


def test_models_without_their_tests_and_a_selection_leave_the_watermark(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    warehouse.load(loaded([contact("U", "14:20", MailingCity="Vigo")], "14:30"))
    assert "Watermark stays" in run(warehouse, "run", now=at("15:02"))
    assert "Watermark stays" in build(warehouse, at("15:03"), "--select", "identity")
    after = state(warehouse)
    assert after.watermark == complete_until("14:00")
    assert after.marts["identity"]["001U", "003U"]["updated_at"] == at("15:00") - LAST_INSTANT


@pytest.mark.parametrize(("clock", "stamp"), [("14:40", "14:40"), ("12:30", "14:00")])
def test_no_row_enters_an_hour_that_is_complete_even_when_the_clock_goes_back(
    runs: list[Run], tmp_path: Path, clock: str, stamp: str
) -> None:
    warehouse = runs[0].copy(tmp_path)
    warehouse.load(loaded([payment("U", "U", "U", 2, status="executed")], "13:59"))
    build(warehouse, at(clock))
    after = state(warehouse)
    assert after.watermark == complete_until("14:00")
    assert after.marts["payments"]["payU",]["updated_at"] == at(stamp)
    assert after.marts == expected(runs[0].state.marts, answer(warehouse), at(stamp))


def test_a_run_that_is_overtaken_fails_and_publishes_nothing_and_the_next_plain_run_publishes_what_it_read(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[0].copy(tmp_path)
    moved = virtual_account("A", "001A", 2, iban="ES00" + "1" * 20)
    renamed = beneficiary("A", 2, name="Renamed, S.L.")
    warehouse.load(loaded([payment("U", "U", "U", 2, status="executed"), moved, renamed], "14:30"))
    with pytest.raises(BuildFailed, match="another run has moved it since this one began") as failed:
        run(warehouse, "build", now=at("15:02"), project=overtaken(tmp_path / "project", at("15:00")))
    assert state(warehouse).watermark == complete_until("15:00")
    assert state(warehouse).marts == runs[0].state.marts

    build(warehouse, at("16:02"))
    assert state(warehouse).watermark == complete_until("16:00")
    assert state(warehouse).marts == expected(runs[0].state.marts, answer(warehouse), at("16:00") - LAST_INSTANT)

    sent = {name: log(warehouse, name) for name in KEYS}
    build(warehouse, at("17:02"))
    assert {name: log(warehouse, name) for name in KEYS} == sent
    assert "The next run takes what this one has read" in str(failed.value)
    assert "full-refresh" not in str(failed.value)


def test_a_full_refresh_reads_all_raw_rows_again_and_sends_none_again(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    for rows in story.raw(1):
        warehouse.load(rows)
    build(warehouse, at("15:02"), "--full-refresh")
    assert state(warehouse) == runs[1].state


def test_a_run_on_no_rows_or_a_sample_is_refused(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    for option in (["--empty"], ["--sample", "1 hour"]):
        with pytest.raises(BuildFailed, match="as if it had left the program"):
            build(warehouse, at("15:02"), *option)
        assert state(warehouse) == runs[0].state


def test_old_hours_leave_the_mart_after_midnight_and_what_they_sent_is_not_sent_again(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[0].copy(tmp_path)
    midnight = at("0:02") + timedelta(days=401)
    warehouse.load(loaded([payment("U", "U", "U", 2, status="executed")], "15:30"))
    build(warehouse, midnight)
    assert set(state(warehouse).marts["payments"]) == {("payU",)}
    build(warehouse, midnight + timedelta(hours=1), "--full-refresh")
    assert set(state(warehouse).marts["payments"]) == {("payU",)}


def test_sources_that_are_quiet_are_reported_and_stop_nothing(tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "psp.duckdb")
    warehouse.load(raw_rows(seed=7, hour=0, rows=20, start=at("13:00").replace(year=2020)))
    assert "WARN freshness of salesforce.account " in run(warehouse, "source", "freshness")


def test_a_loader_that_stands_still_stops_the_build(tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "psp.duckdb")
    warehouse.load(raw_rows(seed=7, hour=0, rows=20))
    with duckdb.connect(warehouse.path) as connection:
        connection.execute(
            "CREATE SCHEMA loaders; CREATE TABLE loaders.heartbeats (loader STRING, beaten_at TIMESTAMP)"
        )
        connection.execute("INSERT INTO loaders.heartbeats VALUES ('ledger', TIMESTAMP '2020-01-01 00:00:00')")
    with pytest.raises(BuildFailed, match=r"ERROR STALE freshness of loaders\.heartbeats"):
        run(warehouse, "source", "freshness", environ={"LOADERS_DATASET": "loaders"})


def test_a_clock_that_differs_from_the_warehouses_fails_and_now_is_for_local_targets(tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "psp.duckdb")
    warehouse.load(raw_rows(seed=7, hour=0, rows=20))
    with pytest.raises(BuildFailed, match="No more than 0 minutes may lie between"):
        run(warehouse, "build", given={"clock_tolerance_minutes": 0})
    with pytest.raises(BuildFailed, match="now replaces the clock on local targets only"):
        run(warehouse, "build", given={"now": "2026-11-23T14:02:00Z", "local_targets": []})
    assert "identity" not in set(warehouse.rows("SHOW ALL TABLES")["name"])
