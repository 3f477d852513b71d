"""The runbook's erasure, typed as it stands: nothing of a person or a customer is left, and nobody else is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from localcloud.dbt import ROOT, run
from localcloud.processes import start
from localcloud.warehouses import DuckDBFile, LocalBigQuery, Warehouse
from tests.dbt import story
from tests.dbt.rows import at, loaded, payment
from tests.dbt.state import KEYS, log, state

SECTION = (ROOT / "docs" / "operations" / "dbt.md").read_text(encoding="utf-8").partition("## Erasure")[2]
LISTED, RAW, LAST = re.findall(r"^```sql\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
LEAVES = {"departure_limit": {"rows": 10, "share": 1}}
ERASED = ("003A", "001B", "vaB", "payB", "txnB", "003B")
"""A person, its document and relations; a customer with its account, payment, movement and contact's relation."""


@pytest.fixture(params=["duckdb", "bigquery"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """Both adapters, after an hour in which a payment of the customer waits in quarantine."""
    rows = [*story.HOURS[0], payment("Q", "B", "A", currency="EURO")]
    if request.param == "duckdb":
        built: Warehouse = DuckDBFile(tmp_path / "psp.duckdb")
        built.load(loaded(rows, "13:30"))
        run(built, "build", now=at("14:02"))
        yield built
        return
    service = start("localcloud.bigquery", "--rest-port", "0", "--grpc-port", "0", logs=tmp_path)
    try:
        built = LocalBigQuery(service.ready["rest"])
        built.load(loaded(rows, "13:30"))
        run(built, "build", now=at("14:02"))
        yield built
    finally:
        service.stop()


def typed(warehouse: Warehouse, block: str) -> None:
    """Type the statements of a block, with the ids of the test."""
    for statement in block.replace("'PERSON'", "'003A', '003B'").replace("'CUSTOMER'", "'001B'").split(";\n"):
        if not statement.strip():
            continue
        if isinstance(warehouse, DuckDBFile):
            with duckdb.connect(warehouse.path) as connection:
                connection.execute(statement)
        else:
            warehouse.rows(statement)


def held(warehouse: Warehouse) -> dict[str, str]:
    """Everything that lies in the two datasets of dbt and in the raw ones, as text, by table."""
    tables = {}
    for dataset in ("salesforce", "ledger", "fenx_Kafka_Synchronized", "amazon_pspp", "amazon_pspp_staging"):
        where = f"{dataset}.INFORMATION_SCHEMA.TABLES WHERE TRUE"
        if isinstance(warehouse, DuckDBFile):
            where = f"information_schema.tables WHERE table_schema = '{dataset}'"
        for name in warehouse.rows(f"SELECT table_name FROM {where}")["table_name"]:
            tables[f"{dataset}.{name}"] = str(warehouse.rows(f"SELECT * FROM {dataset}.{name}").to_dicts())
    return tables


def test_what_the_runbook_erases_is_nowhere_any_more_and_nothing_else_is_sent(warehouse: Warehouse) -> None:
    before = state(warehouse).marts
    assert [key for key in ERASED if not any(f"'{key}'" in text for text in held(warehouse).values())] == []
    typed(warehouse, LISTED)
    typed(warehouse, RAW)
    run(warehouse, "build", "--full-refresh", now=at("15:02"), given=LEAVES)
    typed(warehouse, LAST)
    sent = {name: log(warehouse, name) for name in KEYS}
    run(warehouse, "build", now=at("16:02"))
    assert {name: log(warehouse, name) for name in KEYS} == sent
    left = {(key, table) for table, text in held(warehouse).items() for key in (*ERASED, "payQ") if f"'{key}'" in text}
    assert left == set()
    gone = {"003A", "001B", "003B", "payB", "txnB"}
    others = {name: {key: row for key, row in before[name].items() if not gone & {*key}} for name in KEYS}
    assert state(warehouse).marts == others
