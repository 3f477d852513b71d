"""Rows that break the contract, and raw rows that nobody agreed on: none is shared, none stops the others."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from localcloud.dbt import BuildFailed, build, run
from localcloud.warehouses import DuckDBFile
from tests.dbt.conftest import Run
from tests.dbt.rows import Raw, account, at, beneficiary, contact, entity, loaded, movement, payment, virtual_account
from tests.dbt.state import KEYS, LEFT, log, state


def complete_until(clock: str) -> dict[str, object]:
    return dict.fromkeys(KEYS, at(clock))


def waiting(warehouse: DuckDBFile) -> dict[str, int]:
    found = warehouse.rows("SELECT dataset, row_count FROM amazon_pspp.quarantine").to_dicts()
    return {row["dataset"]: row["row_count"] for row in found if row["row_count"]}


def test_a_row_that_breaks_the_contract_waits_and_the_rest_of_the_hour_goes_out(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[0].copy(tmp_path)
    broken = [account("U", "14:10", BillingCountryCode="Spain"), payment("U", "U", "U", 2, status="lost")]
    warehouse.load(loaded([*broken, contact("A", "14:10", MailingCity="Vigo")], "14:30"))
    printed = build(warehouse, at("15:02"))
    after = state(warehouse)
    assert "1 rows of payments wait in quarantine." in printed
    assert waiting(warehouse) == {"identity": 1, "payments": 1}
    assert after.watermark == complete_until("15:00")
    assert after.marts["identity"]["001U", "003U"] == runs[0].state.marts["identity"]["001U", "003U"]
    assert after.marts["payments"]["payU",] == runs[0].state.marts["payments"]["payU",]
    assert after.marts["identity"]["001A", "003A"]["city"] == "Vigo"

    for clock in ("16:02", "17:02"):
        build(warehouse, at(clock))
        assert waiting(warehouse) == {"identity": 1, "payments": 1}
        since = warehouse.rows("SELECT dataset, waiting_since FROM amazon_pspp.quarantine ORDER BY dataset")
        assert since.rows() == [("identity", at("15:00")), ("payments", at("15:00")), ("transactions", None)]
    place = warehouse.rows("SELECT payment_id, version, broken FROM amazon_pspp_staging.int_payments__quarantined")
    assert set(place.rows()) == {("payU", 2, "status: not a value of the contract")}

    warehouse.load(loaded([account("U", "17:05", BillingCountryCode="FR")], "17:06"))
    warehouse.load(loaded([payment("U", "U", "U", 3, status="executed")], "17:06"))
    build(warehouse, at("18:02"))
    assert waiting(warehouse) == {}
    assert state(warehouse).marts["identity"]["001U", "003U"]["customer_country"] == "FR"
    assert state(warehouse).marts["payments"]["payU",]["status"] == "executed"


def test_a_quarantined_row_whose_customer_leaves_or_that_is_deleted_blocks_nothing(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[0].copy(tmp_path)
    warehouse.load(loaded([account("U", "14:10", BillingCountryCode="Spain")], "14:30"))
    warehouse.load(loaded([payment("A", "A", "A", 2, currency="EURO"), movement("B", "B", 2, currency="E")], "14:30"))
    build(warehouse, at("15:02"))
    assert waiting(warehouse) == {"identity": 1, "payments": 1, "transactions": 1}
    warehouse.load(
        loaded([account("U", "15:10", IsDeleted=True), account("B", "15:10", Amazon_PSPP__c=False)], "15:30")
    )
    warehouse.load(loaded([payment("A", "A", "A", 3, operation="delete")], "15:30"))
    build(warehouse, at("16:02"))
    after = state(warehouse)
    assert waiting(warehouse) == {}
    assert after.watermark == complete_until("16:00")
    assert after.marts["identity"]["001U", "003U"] == after.marts["payments"]["payA",] == LEFT
    assert after.marts["transactions"]["txnB",] == LEFT


def test_an_hour_of_a_dataset_that_waits_is_completed_when_its_rows_are_put_right(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[0].copy(tmp_path)
    wait = {"wait_for_quarantined": ["payments"]}
    warehouse.load(
        loaded([payment("A", "A", "A", 2, status="lost"), payment("U", "U", "U", 2, status="executed")], "14:30")
    )
    warehouse.load(
        loaded(
            [contact("A", "14:10", MailingCity="Vigo"), virtual_account("A", "001A", 2, iban="ES00" + "1" * 20)],
            "14:30",
        )
    )
    run(warehouse, "build", now=at("15:02"), given=wait)
    assert state(warehouse).watermark == complete_until("15:00") | {"payments": at("14:00")}
    run(warehouse, "build", now=at("16:02"), given=wait)
    warehouse.load(loaded([payment("A", "A", "A", 3, status="returned")], "16:30"))
    run(warehouse, "build", now=at("17:02"), given=wait)
    after = state(warehouse)
    assert after.watermark == complete_until("17:00")
    sent = [row for row in log(warehouse, "payments") if row["payment_id"] in {"payA", "payU"}]
    assert [(row["payment_id"], row["status"]) for row in sent if row["updated_at"] > at("14:00")] == [
        ("payA", "returned"),
        ("payU", "executed"),
    ] or [(row["payment_id"], row["status"]) for row in sent if row["updated_at"] > at("14:00")] == [
        ("payU", "executed"),
        ("payA", "returned"),
    ]
    assert after.marts["payments"]["payA",]["virtual_account_iban"] == "ES00" + "1" * 20
    moved = [row for row in log(warehouse, "transactions") if row["transaction_id"] == "txnA"]
    assert [row["updated_at"].hour for row in moved] == [13, 14]


POISON: list[tuple[str, Raw]] = [
    ("no key", payment("U", "U", "U", 2, payment_id=None)),
    ("no order", payment("U", "U", "U", None, operation="delete")),
    ("unknown operation", movement("U", "U", 2, operation="truncate")),
    ("no operation", movement("U", "U", 2, operation=None)),
    ("no key in Salesforce", account("U", "14:10", Id=None)),
    ("no order in Salesforce", contact("U", "14:10", SystemModstamp=None, LastName="Nobody")),
    ("unknown event", entity("F", "14:10", event_type="exploded")),
]


@pytest.mark.parametrize(("what", "row"), POISON, ids=[what for what, _ in POISON])
def test_a_raw_row_that_cannot_be_understood_is_reported_and_changes_nothing(
    runs: list[Run], tmp_path: Path, what: str, row: Raw
) -> None:
    warehouse = runs[0].copy(tmp_path)
    warehouse.load(loaded([row], "14:30"))
    printed = build(warehouse, at("15:02"))
    assert "WARN 2 raw_rows_are_as_agreed" in printed
    assert state(warehouse).marts == runs[0].state.marts
    assert state(warehouse).watermark == complete_until("15:00")


@pytest.mark.parametrize("amount", [Decimal("1.001"), Decimal("9" * 29), Decimal("-1"), None])
def test_an_amount_that_the_contract_cannot_hold_is_never_rounded_and_waits(
    runs: list[Run], tmp_path: Path, amount: Any
) -> None:
    warehouse = runs[0].copy(tmp_path)
    warehouse.load(loaded([payment("U", "U", "U", 2, amount=amount)], "14:30"))
    build(warehouse, at("15:02"))
    assert waiting(warehouse) == {"payments": 1}
    assert state(warehouse).marts == runs[0].state.marts


@pytest.mark.parametrize("operation", ["DELETE", " Delete "])
def test_a_delete_that_carries_the_key_alone_takes_the_row_out_whenever_it_comes(
    runs: list[Run], tmp_path: Path, operation: str
) -> None:
    warehouse = runs[0].copy(tmp_path)
    nothing = dict.fromkeys(("virtual_account_id", "beneficiary_id", "amount", "currency", "status", "created_at"))
    gone: Raw = ("ledger.payments", payment("U", "U", "U", 5, operation=operation)[1] | nothing)
    warehouse.load(loaded([gone], "14:30"))
    build(warehouse, at("15:02"))
    assert state(warehouse).marts["payments"]["payU",] == LEFT
    warehouse.load(loaded([payment("U", "U", "U", 4, status="executed")], "15:30"))
    build(warehouse, at("16:02"))
    assert state(warehouse).marts["payments"]["payU",] == LEFT
    warehouse.load(loaded([payment("U", "U", "U", 6)], "16:30"))
    build(warehouse, at("17:02"))
    assert state(warehouse).marts["payments"]["payU",]["status"] == "created"


@pytest.mark.parametrize("later", [timedelta(0), timedelta(days=4)])
def test_a_delete_by_key_alone_that_a_failed_run_has_read_before_takes_the_row_out(
    runs: list[Run], tmp_path: Path, later: timedelta
) -> None:
    warehouse = runs[0].copy(tmp_path)
    build(warehouse, at("14:20") + later)
    gone: Raw = ("ledger.payments", {"payment_id": "payU", "operation": "delete", "version": 5})
    rows = loaded([gone], "14:30")
    warehouse.load({table: frame.with_columns(pl.col("_loaded_at") + later) for table, frame in rows.items()})
    with pytest.raises(BuildFailed):
        run(warehouse, "build", now=at("15:02") + later, given={"departure_limit": {"rows": -1, "share": -1}})
    build(warehouse, at("15:40") + later)
    assert state(warehouse).marts["payments"]["payU",] == LEFT


def test_a_delete_by_key_alone_keeps_what_the_ids_of_a_customer_and_its_account_say(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[0].copy(tmp_path)
    bare = ("salesforce.account", {"Id": "001X", "IsDeleted": True, "SystemModstamp": at("14:10")})
    closed = ("ledger.virtual_accounts", {"virtual_account_id": "vaU", "operation": "delete", "version": 2})
    warehouse.load(loaded([bare, closed], "14:30"))
    build(warehouse, at("15:02"))
    after = state(warehouse).marts
    assert after["identity"]["001X", "FNXX"] == LEFT
    assert ("FNXX", "FNXX") not in after["identity"]
    assert after["payments"]["payU",] == runs[0].state.marts["payments"]["payU",]


def test_a_record_whose_day_or_account_is_corrected_is_found_again(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    long_ago = at("9:00").replace(year=2025)
    warehouse.load(loaded([payment("U", "A", "U", 2, created_at=long_ago)], "14:30"))
    build(warehouse, at("15:02"))
    assert state(warehouse).marts["payments"]["payU",]["created_at"] == long_ago
    assert state(warehouse).marts["payments"]["payU",]["customer_id"] == "001A"
    warehouse.load(
        loaded([payment("U", "U", "U", 1), virtual_account("U", "001U", 2, iban="ES00" + "1" * 20)], "15:30")
    )
    build(warehouse, at("16:02"))
    assert state(warehouse).marts["payments"]["payU",]["customer_id"] == "001A"
    warehouse.load(loaded([payment("U", "U", "U", 3)], "16:30"))
    build(warehouse, at("17:02"))
    assert state(warehouse).marts["payments"]["payU",]["created_at"] == at("13:00")


def test_a_mass_departure_is_stopped_before_it_is_published_and_the_limit_can_be_set(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[1].copy(tmp_path)
    with duckdb.connect(warehouse.path) as connection:
        connection.execute("DELETE FROM ledger.payments")
    with pytest.raises(BuildFailed, match="payments_may_be_published"):
        build(warehouse, at("16:02"), "--full-refresh")
    after = state(warehouse)
    assert after.marts["payments"] == runs[1].state.marts["payments"]
    assert after.watermark == complete_until("15:00")
    run(warehouse, "build", "--full-refresh", now=at("16:04"), given={"departure_limit": {"rows": 10, "share": 1}})
    assert set(map(str, state(warehouse).marts["payments"].values())) == {str(LEFT)}


def test_a_chain_of_merges_passes_everything_on_and_a_circle_is_reported(runs: list[Run], tmp_path: Path) -> None:
    warehouse = runs[0].copy(tmp_path)
    steps = [account(f"m{n}", "14:00", IsDeleted=True, MasterRecordId=f"001m{n + 1}") for n in range(40)]
    last = account("m40", "14:00")
    warehouse.load(
        loaded([*steps, last, virtual_account("M", "001m0"), payment("M", "M", "A"), beneficiary("M")], "14:30")
    )
    build(warehouse, at("15:02"))
    assert state(warehouse).marts["payments"]["payM",]["customer_id"] == "001m40"
    circle = [account("m40", "15:00", IsDeleted=True, MasterRecordId="001m0")]
    warehouse.load(loaded(circle, "15:30"))
    with pytest.raises(BuildFailed, match="ends_in_a_record"):
        build(warehouse, at("16:02"))
    assert state(warehouse).watermark == complete_until("15:00")


def test_a_record_whose_day_is_corrected_as_its_customer_leaves_is_found_where_it_was(
    runs: list[Run], tmp_path: Path
) -> None:
    warehouse = runs[0].copy(tmp_path)
    leaves = account("U", "14:10", Amazon_PSPP__c=False)
    corrected = payment("U", "U", "U", 2, created_at=at("9:00").replace(year=2025))
    warehouse.load(loaded([leaves, corrected], "14:30"))
    build(warehouse, at("15:02"))
    assert state(warehouse).marts["payments"]["payU",] == LEFT
