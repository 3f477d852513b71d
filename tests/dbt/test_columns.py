"""Contracts that change: a column is added, a decimal is widened, a value is added, a column is taken out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.dbt import PROJECT, ROOT, run
from localcloud.processes import start
from localcloud.rawdata import START
from localcloud.warehouses import DuckDBFile, LocalBigQuery, Warehouse
from tests.dbt import story
from tests.dbt.rows import at, loaded, movement, payment
from tests.dbt.state import KEYS, log, state

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(params=["duckdb", "bigquery"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """Both adapters, after the first hour of the story."""
    if request.param == "duckdb":
        built: Warehouse = DuckDBFile(tmp_path / "psp.duckdb")
        _first_hour(built)
        yield built
        return
    service = start("localcloud.bigquery", "--rest-port", "0", "--grpc-port", "0", logs=tmp_path)
    try:
        built = LocalBigQuery(service.ready["rest"])
        _first_hour(built)
        yield built
    finally:
        service.stop()


def _first_hour(warehouse: Warehouse) -> None:
    for rows in story.raw(0):
        warehouse.load(rows)
    run(warehouse, "build", now=at("14:02"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the dbt project and the contracts, to be changed."""
    copy = tmp_path / "copy"
    shutil.copytree(PROJECT, copy / "dbt", ignore=shutil.ignore_patterns("target", "logs"))
    shutil.copytree(ROOT / "pipeline" / "contracts", copy / "pipeline" / "contracts")
    return copy / "dbt"


def change(project: Path, dataset: str, edit: Edit) -> None:
    """Change a contract, and have the generator write the properties."""
    path = project.parent / "pipeline" / "contracts" / f"{dataset}.yaml"
    contract = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(contract["schema"][0])
    path.write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    subprocess.run([sys.executable, project / "from_contracts.py"], check=True, capture_output=True)


def column(table: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in table["properties"] if one["name"] == name]
    return dict(found)


def test_a_column_that_is_added_reaches_new_rows_at_once_and_old_ones_when_asked(
    warehouse: Warehouse, project: Path
) -> None:
    extra = {"name": "ledger_version", "logicalType": "integer", "physicalType": "INT64", "description": "Version."}
    change(project, "payments", lambda table: table["properties"].append(extra))
    model = project / "models" / "intermediate" / "payments" / "int_payments__current.sql"
    text = model.read_text(encoding="utf-8")
    model.write_text(
        text.replace("    joined.*,", "    joined.*,\n    joined.version as ledger_version,"), encoding="utf-8"
    )
    before = state(warehouse).marts
    warehouse.load(loaded([payment("U", "U", "U", 2, status="executed")], "14:30"))
    run(warehouse, "build", now=at("15:02"), project=project)
    after = state(warehouse)
    assert after.watermark == dict.fromkeys(KEYS, at("15:00"))
    assert after.marts["payments"]["payU",]["ledger_version"] == 2
    assert {key: row | {"ledger_version": None} for key, row in before["payments"].items() if key != ("payU",)} == {
        key: row for key, row in after.marts["payments"].items() if key != ("payU",)
    }
    run(warehouse, "build", "--full-refresh", now=at("16:02"), project=project)
    assert all(row["ledger_version"] for row in state(warehouse).marts["payments"].values())
    sent = log(warehouse, "payments")
    run(warehouse, "build", now=at("17:02"), project=project)
    assert log(warehouse, "payments") == sent


def test_a_column_that_staging_did_not_read_before_follows_the_runbooks_steps(
    warehouse: Warehouse, project: Path
) -> None:
    extra = {"name": "changed_at", "logicalType": "timestamp", "physicalType": "TIMESTAMP", "description": "Changed."}
    change(project, "payments", lambda table: table["properties"].append(extra))
    models = project / "models"
    staging = models / "staging" / "ledger" / "stg_ledger__payment.sql"
    staging.write_text(
        staging.read_text("utf-8").replace("        executed_at,", "        executed_at,\n        changed_at,")
    )
    described = '{name: executed_at, data_type: timestamp, description: "When the payment left."}'
    for place in ("staging/ledger/_ledger__models.yml", "intermediate/payments/_payments__models.yml"):
        text = (models / place).read_text("utf-8")
        column = described.replace("executed_at", "changed_at").replace("When the payment left", "Changed")
        (models / place).write_text(text.replace(described, f"{described}\n      - {column}"))
    warehouse.load(loaded([payment("U", "U", "U", 2, status="executed")], "14:30"))
    run(warehouse, "build", now=at("15:02"), project=project)
    after = state(warehouse).marts["payments"]
    assert after["payU",]["changed_at"] == START
    assert {row["changed_at"] for key, row in after.items() if key != ("payU",)} == {None}
    run(warehouse, "build", "--full-refresh", now=at("16:02"), project=project)
    assert all(row["changed_at"] for row in state(warehouse).marts["payments"].values())


def test_a_wider_decimal_and_a_new_value_let_the_rows_go_that_waited_for_them(
    warehouse: Warehouse, project: Path
) -> None:
    exact = Decimal("1.005")
    warehouse.load(loaded([movement("U", "U", 2, amount=exact), movement("A", "A", 2, direction="return")], "14:30"))
    run(warehouse, "build", now=at("15:02"), project=project)
    assert state(warehouse).marts["transactions"]["txnU",]["amount"] == Decimal("0.01")

    def widen(table: dict[str, Any]) -> None:
        for one in table["properties"]:
            if one["name"] == "amount":
                one["physicalType"] = "NUMERIC(20, 4)"
            if one["name"] == "direction":
                one["enum"].append({"value": "return"})

    change(project, "transactions", widen)
    run(warehouse, "build", now=at("16:02"), project=project)
    transactions = state(warehouse).marts["transactions"]
    assert transactions["txnU",]["amount"] == exact
    assert transactions["txnA",]["direction"] == "return"
    sent = log(warehouse, "transactions")
    run(warehouse, "build", now=at("17:02"), project=project)
    assert log(warehouse, "transactions") == sent


def test_a_column_that_is_taken_out_stays_empty_in_the_mart(warehouse: Warehouse, project: Path) -> None:
    def remove(table: dict[str, Any]) -> None:
        table["properties"].remove(column(table, "beneficiary_country"))

    change(project, "payments", remove)
    warehouse.load(loaded([payment("U", "U", "U", 2, status="executed")], "14:30"))
    run(warehouse, "build", now=at("15:02"), project=project)
    assert state(warehouse).marts["payments"]["payU",]["beneficiary_country"] is None
    assert len([row for row in log(warehouse, "payments") if row["updated_at"] > at("14:00")]) == 1
