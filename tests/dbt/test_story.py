"""The marts after each hour of the story, against an answer worked out from the raw rows in other SQL."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from localcloud.dbt import ROOT, build
from pipeline.contracts import reader
from tests.dbt import story
from tests.dbt.conftest import Run
from tests.dbt.rows import at
from tests.dbt.state import KEYS, expected, state

HOURS = range(len(story.HOURS))
LAST_INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize("hour", HOURS)
@pytest.mark.parametrize("dataset", KEYS)
def test_a_run_stamps_exactly_what_changed_and_shares_exactly_the_programs_rows(
    runs: list[Run], hour: int, dataset: str
) -> None:
    before = runs[hour - 1].state.marts if hour else {}
    stamp = at(f"{14 + hour}:00") - LAST_INSTANT
    wanted = expected(before, runs[hour].answer, stamp)
    assert runs[hour].state.marts[dataset] == wanted[dataset]
    assert any(row.get("updated_at") == stamp for row in wanted[dataset].values())


@pytest.mark.parametrize("hour", HOURS)
def test_a_run_that_succeeded_completes_the_hour_before_it(runs: list[Run], hour: int) -> None:
    assert runs[hour].state.watermark == dict.fromkeys(KEYS, at(f"{14 + hour}:00"))


def test_a_second_run_without_changes_changes_nothing(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[1].copy(tmp_path)
    build(warehouse, at("15:40"))
    assert state(warehouse) == runs[1].state


def test_an_untouched_customer_is_not_sent_again(runs: list[Run]) -> None:
    marts = runs[-1].state.marts
    first = at("14:00") - LAST_INSTANT
    assert marts["identity"]["001U", "003U"]["updated_at"] == first
    assert marts["payments"]["payU",]["updated_at"] == first
    assert marts["transactions"]["txnU",]["updated_at"] == first


def test_the_newest_version_counts_whatever_the_order_of_arrival(runs: list[Run]) -> None:
    assert runs[1].state.marts["identity"]["001A", "003A"]["city"] == "Toledo"
    assert [run.state.marts["payments"]["payA",]["status"] for run in runs] == ["created"] + ["executed"] * 3


def test_a_fenx_customer_takes_the_accounts_id_and_then_the_contacts(runs: list[Run]) -> None:
    present = [
        [key for key, row in run.state.marts["identity"].items() if "F" in key[0][3:] and row["in_program"]]
        for run in runs
    ]
    ours = [[key for key in keys if key[0] in {"FNXF", "001F"}] for keys in present]
    assert ours == [[("FNXF", "FNXF")], [("001F", "FNXF")], [("001F", "003F")], [("001F", "003F")]]
    assert [run.state.marts["payments"]["payF",]["customer_id"] for run in runs] == ["FNXF", "001F", "001F", "001F"]
    assert runs[2].state.marts["identity"]["001F", "003F"]["document_source"] == "fenx"
    assert [run.state.marts["identity"]["001F", "003F"]["document_number"] for run in runs[2:]] == ["P1", "P2"]


def test_a_customer_that_leaves_is_marked_and_comes_back_as_a_change(runs: list[Run]) -> None:
    seen = [run.state.marts["identity"]["001B", "003B"] for run in runs]
    assert [row["in_program"] for row in seen] == [True, False, True, True]
    assert seen[2]["updated_at"] == at("16:00") - LAST_INSTANT


def test_what_a_merged_customer_had_passes_to_the_survivor(runs: list[Run]) -> None:
    assert [run.state.marts["payments"]["payL",]["customer_id"] for run in runs] == ["001L", "001W", "001A", "001A"]
    identity = runs[2].state.marts["identity"]
    assert {key[1] for key, row in identity.items() if key[0] == "001A" and row["in_program"]} == {
        "003A",
        "003L",
        "003W",
    }
    assert not identity["001L", "003L"]["in_program"]
    merged_contacts = {
        key[1] for key, row in runs[3].state.marts["identity"].items() if key[0] == "001A" and row["in_program"]
    }
    assert merged_contacts == {"003A", "003W"}


def test_a_deleted_person_and_a_deleted_customer_are_not_shared_any_more(runs: list[Run]) -> None:
    assert runs[1].state.marts["identity"]["001A", "003Z"]["in_program"]
    assert not runs[2].state.marts["identity"]["001A", "003Z"]["in_program"]
    assert runs[0].state.marts["identity"]["001X", "FNXX"]["in_program"]
    assert not any(row["in_program"] for key, row in runs[1].state.marts["identity"].items() if "FNXX" in key)


def test_customers_outside_the_program_never_enter_the_marts(runs: list[Run]) -> None:
    for run in runs:
        assert not any(row.get("customer_id") == "001N" for mart in run.state.marts.values() for row in mart.values())


def test_a_movement_waits_for_an_account_that_is_loaded_late(runs: list[Run]) -> None:
    assert ["txnV" in {key[0] for key in run.state.marts["transactions"]} for run in runs] == [False, False, True, True]
    assert runs[2].state.marts["transactions"]["txnV",]["updated_at"] == at("16:00") - LAST_INSTANT


def test_marts_of_an_earlier_version_become_change_logs_and_nothing_is_sent_again(
    runs: list[Run], tmp_path: Path
) -> None:
    """They held one row a record, and may come without any of the tables that are beside them now."""
    warehouse = runs[1].copy(tmp_path)
    with duckdb.connect(warehouse.path) as connection:
        for name in KEYS:
            keys = ", ".join(KEYS[name])
            connection.execute(
                f"CREATE OR REPLACE TABLE amazon_pspp.{name} AS SELECT * FROM amazon_pspp.{name} "
                f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY updated_at DESC) = 1"
            )
        connection.execute("UPDATE amazon_pspp.identity SET family_name = 'kept' WHERE family_name IS NULL")
        connection.execute("ALTER TABLE amazon_pspp.identity ALTER COLUMN family_name SET NOT NULL")
        connection.execute("DROP SCHEMA amazon_pspp_staging CASCADE")
    build(warehouse, at("15:02"))
    assert state(warehouse) == runs[1].state
    for rows in story.raw(2):
        warehouse.load(rows)
    build(warehouse, at("16:02"))
    assert state(warehouse) == runs[2].state


def test_the_marts_have_the_columns_that_the_function_reads(runs: list[Run]) -> None:
    datasets = reader.load(ROOT / "pipeline" / "contracts")
    assert set(datasets) == set(runs[0].state.marts)
    for name, dataset in datasets.items():
        row = next(iter(runs[0].state.marts[name].values()))
        assert {column.source for column in dataset.columns} | {"in_program"} == set(row)
