"""The watermark never says more than is there: failures, kills, parts of a run, clocks."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from localcloud.dbt import PROGRAM, PROJECT, BuildFailed, build, environment, options, run
from localcloud.rawdata import raw_rows
from localcloud.warehouses import DuckDBFile
from tests.dbt import story
from tests.dbt.conftest import Run
from tests.dbt.rows import account, at, contact, loaded, payment
from tests.dbt.state import KEYS, answer, expected, state

SOON = timedelta(minutes=2)
LAST_INSTANT = timedelta(microseconds=1)


def complete_until(clock: str) -> dict[str, object]:
    return dict.fromkeys(KEYS, at(clock))


def test_rows_that_break_the_contract_hold_the_watermark_until_they_are_mended(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    warehouse.load(loaded([account("U", "14:10", BillingCountryCode="Spain"), contact("A", "14:10")], "14:30"))
    with pytest.raises(BuildFailed, match="identity_keeps_its_contract"):
        build(warehouse, at("15:02"))
    assert state(warehouse).watermark == complete_until("14:00")

    warehouse.load(loaded([account("U", "15:05", BillingCountryCode="FR")], "15:06"))
    build(warehouse, at("15:20"))
    after = state(warehouse)
    assert after.watermark == complete_until("15:00")
    wanted = expected(runs[0].state.marts, answer(warehouse), at("15:00") - LAST_INSTANT)
    assert after.marts == wanted


def test_a_killed_run_leaves_the_watermark_and_the_next_run_completes_what_it_left(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[0].copy(tmp_path)
    for rows in story.raw(1):
        warehouse.load(rows)
    clock = ["--vars", f"{{now: '{at('15:02').isoformat()}'}}"]
    dbt = subprocess.Popen(
        [PROGRAM, "build", *clock, *options(warehouse, PROJECT, tmp_path)],
        env={**environment(warehouse), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with dbt:
        assert dbt.stdout is not None
        assert any("OK created sql incremental model amazon_pspp." in line for line in dbt.stdout)
        dbt.kill()
    assert dbt.returncode < 0
    assert state(warehouse).watermark == complete_until("14:00")

    build(warehouse, at("15:02"))
    assert state(warehouse) == runs[1].state


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


def test_a_full_refresh_reads_all_raw_rows_again_and_sends_none_again(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    for rows in story.raw(1):
        warehouse.load(rows)
    build(warehouse, at("15:02"), "--full-refresh")
    assert state(warehouse) == runs[1].state


def test_a_run_on_no_rows_is_refused(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    with pytest.raises(BuildFailed, match="as if it had left the program"):
        build(warehouse, at("15:02"), "--empty")
    assert state(warehouse) == runs[0].state


def test_rows_of_old_hours_are_folded_into_their_month_after_midnight(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    midnight = at("0:02") + timedelta(days=120)
    warehouse.load(loaded([payment("U", "U", "U", 2, status="executed")], "15:30"))
    build(warehouse, midnight)
    payments = state(warehouse).marts["payments"]
    assert payments.pop(("payU",))["updated_at"] == midnight - SOON - LAST_INSTANT
    assert {row["updated_at"] for row in payments.values()} == {at("0:00").replace(day=1)}


def test_raw_rows_that_stopped_coming_fail_the_freshness_check(tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "psp.duckdb")
    warehouse.load(raw_rows(seed=7, hour=0, rows=20, start=at("13:00").replace(year=2020)))
    with pytest.raises(BuildFailed, match=r"ERROR STALE freshness of salesforce\.account "):
        run(warehouse, "source", "freshness")
