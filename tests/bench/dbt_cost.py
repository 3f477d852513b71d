"""What an hourly dbt build costs in BigQuery, by months of history and movements an hour.

    python -m tests.bench.dbt_cost
    python -m tests.bench.dbt_cost --months 1 12 --accounts 500

Builds in the local BigQuery, which counts bytes as Google does, over a history with few records an hour, twice with
different numbers of them. Bytes grow in proportion to the records, so the two give what any number costs. To that comes
the least that is billed for each table that a statement reads, 10 MB, counted as if nothing else were.

Three kinds of hours are measured: one in which only new payments and movements come; one in which three accounts get a
new IBAN too, so that all that they ever paid and received is sent again; and the hour after it, which indexes that.
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
CHANGED: Final = f"{ACCOUNTS_THAT_CHANGE} accounts change"
HOURS: Final = ("no account changes", CHANGED, "the hour after")


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes that all statements of one build processed and were billed for, and those of the rows that it sends."""

    processed: int
    billed: int
    written: int


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


def measured(months: int, an_hour: int, accounts: int) -> dict[str, Cost]:
    """What three hourly builds cost, by HOURS. Before them one reads all of history, one indexes what it published."""
    with tempfile.TemporaryDirectory(prefix="dbt-cost-") as logs:
        service = start("localcloud.bigquery", "--rest-port", "0", "--grpc-port", "0", logs=Path(logs))
        try:
            warehouse = LocalBigQuery(service.ready["rest"])
            hours = months * HOURS_A_MONTH
            warehouse.load({name: rows for name, rows in master_data(accounts).items() if rows.height})
            warehouse.load(ledger(START - timedelta(hours=hours), hours, an_hour, accounts))
            for hour in range(2):
                build(warehouse, START + timedelta(hours=hour, minutes=2))
            costs = {}
            for hour, kind in enumerate(HOURS, start=2):
                began = START + timedelta(hours=hour - 1)
                warehouse.load(ledger(began, 1, an_hour, accounts))
                if kind == CHANGED:
                    warehouse.load(moved(accounts, began))
                costs[kind] = built(warehouse, began)
            return costs
        finally:
            service.stop()


def built(warehouse: LocalBigQuery, began: datetime) -> Cost:
    """The cost of the build after the hour that began then."""
    ended = began + timedelta(hours=1)
    with warehouse.client() as client:
        before = {job.job_id for job in client.list_jobs()}
        build(warehouse, ended + timedelta(minutes=2))
        jobs = [job for job in client.list_jobs() if job.job_id not in before and job.job_type == "query"]
        dry = bigquery.QueryJobConfig(dry_run=True)
        hour = f"WHERE updated_at >= TIMESTAMP '{began}' AND updated_at < TIMESTAMP '{ended}'"
        written = [
            client.query(f"SELECT * FROM {warehouse.dataset}.{mart} {hour}", job_config=dry).total_bytes_processed
            for mart in ("payments", "transactions")
        ]
    return Cost(
        sum(job.total_bytes_processed or 0 for job in jobs),
        sum(job.total_bytes_billed or 0 for job in jobs),
        sum(written),
    )


def master_data(accounts: int) -> dict[str, pl.DataFrame]:
    """The population of raw_rows, without payments and movements."""
    rows = raw_rows(0, 0, 20 * accounts, START - timedelta(hours=1))
    return rows | {name: rows[name].clear() for name in ("ledger.payments", "ledger.transactions")}


def moved(accounts: int, began: datetime) -> dict[str, pl.DataFrame]:
    """New IBANs of a few accounts, so that all their payments and movements are sent again."""
    held = master_data(accounts)["ledger.virtual_accounts"].head(ACCOUNTS_THAT_CHANGE)
    changed = {"iban": "ES9121000418450200051332", "version": 2, "_loaded_at": began + timedelta(minutes=30)}
    return {
        "ledger.virtual_accounts": held.with_columns(
            pl.lit(value).alias(name).cast(held.schema[name]) for name, value in changed.items()
        )
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.dbt_cost", description=main.__doc__)
    parser.add_argument("--months", type=int, nargs="+", default=[1, 6, 12, 14])
    parser.add_argument("--accounts", type=int, default=1500)
    parser.add_argument(
        "--records", type=int, nargs=2, default=[2, 4], help="movements an hour in the two measurements"
    )
    given = parser.parse_args()
    few, more = given.records
    table = Table("months of history", "hour", *(f"{rate:,} an hour" for rate in RATES))
    table.title = (
        f"MB of rows that it sends / GB billed, dollars a month if all hours were so; {given.accounts} accounts"
    )
    for months in given.months:
        one, other = (measured(months, number, given.accounts) for number in (few, more))
        for kind in HOURS:
            Console().print(f"{months} months, {kind}: {one[kind]}, {other[kind]}")
            made = [at_rate(rate, one[kind], few, other[kind], more) for rate in RATES]
            money = [f"${cost.billed * PRICE * HOURS_A_MONTH:,.0f}" for cost in made]
            cells = [
                f"{cost.written / 1e6:,.0f} / {cost.billed / 1e9:.2f}, {sum_}"
                for cost, sum_ in zip(made, money, strict=True)
            ]
            table.add_row(str(months), kind, *cells)
    Console(width=120).print(table)


def at_rate(rate: int, one: Cost, few: int, other: Cost, more: int) -> Cost:
    """The cost at a rate: bytes grow in proportion to the records. To what is read comes the least that was billed."""

    def grown(small: int, large: int) -> int:
        return round(small + (large - small) / (more - few) * (rate - few))

    processed = grown(one.processed, other.processed)
    return Cost(processed, one.billed + processed, grown(one.written, other.written))


if __name__ == "__main__":
    main()
