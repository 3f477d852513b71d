"""Two runs that really overlap, in the local BigQuery: nothing that either has read is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from localcloud.dbt import build, run
from localcloud.processes import start
from localcloud.warehouses import DuckDBFile, LocalBigQuery
from tests.dbt import story
from tests.dbt.conftest import held, released
from tests.dbt.rows import Raw, at, loaded, payment, virtual_account
from tests.dbt.state import KEYS, answer, expected, log, state

LAST_INSTANT = timedelta(microseconds=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[LocalBigQuery]:
    service = start("localcloud.bigquery", "--rest-port", "0", "--grpc-port", "0", logs=tmp_path)
    try:
        yield LocalBigQuery(service.ready["rest"])
    finally:
        service.stop()


def test_what_another_run_filed_during_a_run_that_completes_the_hour_goes_out_with_the_next(
    warehouse: LocalBigQuery, tmp_path: Path
) -> None:
    raw = DuckDBFile(tmp_path / "raw.duckdb")

    def load(rows: list[Raw], when: str) -> None:
        for place in (warehouse, raw):
            place.load(loaded(rows, when))

    load(story.HOURS[0], "13:30")
    build(warehouse, at("14:02"))
    load([payment("A", "A", "A", 2, status="executed")], "14:30")
    with held(warehouse, at("15:02"), "int_payments__changes") as first:
        load(
            [payment("U", "U", "U", 2, status="executed"), virtual_account("U", "001U", 2, iban="ES00" + "1" * 20)],
            "14:40",
        )
        filed = ["+int_payments__versions", "int_program_accounts__changes"]
        run(warehouse, "run", "--select", *filed, now=at("15:03"))
        assert "Another run was under way" in released(first)
    between = state(warehouse)
    assert between.watermark == dict.fromkeys(KEYS, at("15:00"))
    assert between.marts["payments"]["payA",]["status"] == "executed"
    assert between.marts["payments"]["payU",]["status"] == "created"

    build(warehouse, at("16:02"))
    assert state(warehouse).marts == expected(between.marts, answer(raw), at("16:00") - LAST_INSTANT)

    sent = {name: log(warehouse, name) for name in KEYS}
    build(warehouse, at("17:02"))
    assert {name: log(warehouse, name) for name in KEYS} == sent
    marks = warehouse.rows("SELECT complete_until, settled_until FROM amazon_pspp.watermark").rows()
    assert marks == [(at("17:00"), at("17:00"))] * len(KEYS)
