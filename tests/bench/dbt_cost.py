"""What an hourly dbt build costs in BigQuery, by months of history and movements an hour.

    python -m tests.bench.dbt_cost
    python -m tests.bench.dbt_cost --months 1 12 --accounts 1500

Builds in the local BigQuery, which counts bytes as Google does, over a history with few records an hour, twice with
different numbers of them. Bytes grow in proportion to the records, so the two give what any number costs. To that comes
the least that is billed for each table that a statement reads, 10 MB, counted as if nothing else were.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import polars as pl
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from rich.console import Console
from rich.table import Table

from localcloud.dbt import build
from localcloud.processes import start
from localcloud.rawdata import START, TABLES, raw_rows
from localcloud.warehouses import LocalBigQuery

HOURS_A_MONTH: Final = 730
RATES: Final = (3_000, 30_000)
PRICE: Final = 6.25 / 2**40
"""Dollars a byte on demand, https://cloud.google.com/bigquery/pricing#on_demand_pricing."""
ACCOUNTS_THAT_CHANGE: Final = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes that all statements of one build processed, and were billed for."""

    processed: int
    billed: int


def ledger(first: datetime, hours: int, an_hour: int, accounts: int) -> dict[str, pl.DataFrame]:
    """Payments, each with two versions an hour apart, and movements; as long as those of raw_rows."""
    random, rows = Random(hours), {"ledger.payments": [], "ledger.transactions": []}  # type: ignore[var-annotated]
    for hour in range(hours):
        at = first + timedelta(hours=hour)
        for number in range(an_hour):
            account = random.randrange(accounts)
            common: dict[str, Any] = {
                "virtual_account_id": f"va-{account:06d}",
                "amount": 1234,
                "currency": "EUR",
                "operation": "insert",
                "version": 1,
                "changed_at": at,
                "_loaded_at": at + timedelta(minutes=30),
            }
            name = f"{at:%y%m%d%H}-{number:07d}"
            rows["ledger.transactions"].append(
                common
                | {"transaction_id": f"txn-{name}", "direction": "debit", "payment_id": f"pay-{name}"}
                | {"balance_after": 99, "counterparty_name": "van 't Hoff Trading", "booked_at": at}
                | {"counterparty_iban": "FR7630006000011234567890189", "description": "Marketplace payout"}
                | {"value_date": at.date()}
            )
            if number % 2 == 0:
                order = common | {"payment_id": f"pay-{name}", "beneficiary_id": f"ben-{account:06d}", "created_at": at}
                order |= {"status": "created", "reference": "Invoice 12345"}
                later = at + timedelta(hours=1)
                done = {"status": "executed", "executed_at": later, "operation": "update", "version": 2}
                rows["ledger.payments"] += [order, order | done | {"_loaded_at": later + timedelta(minutes=30)}]
    return {table: pl.DataFrame(found, schema=TABLES[table]) for table, found in rows.items()}


def measured(months: int, an_hour: int, accounts: int) -> Cost:
    """The cost of the third build: the first reads all of history, the second indexes what the first published."""
    with tempfile.TemporaryDirectory(prefix="dbt-cost-") as logs:
        service = start("localcloud.bigquery", "--rest-port", "0", "--grpc-port", "0", logs=Path(logs))
        try:
            warehouse = LocalBigQuery(service.ready["rest"])
            hours = months * HOURS_A_MONTH
            warehouse.load({name: rows for name, rows in master_data(accounts).items() if rows.height})
            warehouse.load(ledger(START - timedelta(hours=hours), hours, an_hour, accounts))
            for hour in range(2):
                build(warehouse, START + timedelta(hours=hour, minutes=2))
            warehouse.load(ledger(START + timedelta(hours=1), 1, an_hour, accounts))
            warehouse.load(moved(accounts))
            client = bigquery.Client(
                warehouse.project,
                credentials=AnonymousCredentials(),
                client_options={"api_endpoint": warehouse.endpoint},
            )
            before = {job.job_id for job in client.list_jobs()}
            build(warehouse, START + timedelta(hours=2, minutes=2))
            jobs = [job for job in client.list_jobs() if job.job_id not in before and job.job_type == "query"]
            return Cost(sum(j.total_bytes_processed or 0 for j in jobs), sum(j.total_bytes_billed or 0 for j in jobs))
        finally:
            service.stop()


def master_data(accounts: int) -> dict[str, pl.DataFrame]:
    """The population of raw_rows, without payments and movements."""
    rows = raw_rows(0, 0, 20 * accounts, START - timedelta(hours=1))
    return rows | {name: rows[name].clear() for name in ("ledger.payments", "ledger.transactions")}


def moved(accounts: int) -> dict[str, pl.DataFrame]:
    """New IBANs of a few accounts, so that all their payments and movements are sent again."""
    held = master_data(accounts)["ledger.virtual_accounts"].head(ACCOUNTS_THAT_CHANGE)
    changed = {"iban": "ES9121000418450200051332", "version": 2, "_loaded_at": START + timedelta(hours=1)}
    return {
        "ledger.virtual_accounts": held.with_columns(
            pl.lit(value).alias(name).cast(held.schema[name]) for name, value in changed.items()
        )
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.dbt_cost", description=main.__doc__)
    parser.add_argument("--months", type=int, nargs="+", default=[1, 6, 14])
    parser.add_argument("--accounts", type=int, default=1500)
    parser.add_argument(
        "--records", type=int, nargs=2, default=[2, 4], help="movements an hour in the two measurements"
    )
    given = parser.parse_args()
    few, more = given.records
    table = Table("months of history", *(f"{rate:,} an hour" for rate in RATES), title="GB billed an hour, at most")
    for months in given.months:
        one, other = (measured(months, number, given.accounts) for number in (few, more))
        each = (other.processed - one.processed) / (more - few)
        costs = [one.billed + one.processed + each * (rate - few) for rate in RATES]
        money = [f"{cost / 1e9:.2f} ({cost * PRICE * HOURS_A_MONTH:,.0f} dollars a month)" for cost in costs]
        table.add_row(str(months), *money)
        Console().print(f"{months} months: {one}, {other}")
    Console().print(table)


if __name__ == "__main__":
    main()
