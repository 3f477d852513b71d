"""The recount in two depths: what it costs, and that it finds every kind of change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from localcloud import sampledata
from pipeline.clients.bigquery import Source
from pipeline.window import HOUR, Slot, Window, rfc3339
from tests.certify.conftest import Certifying
from tests.deployment import InProcessDeployment

LOOK_BACK: Final = 48
NAMES: Final = ("payments",)
ROWS: Final = 30


def _look_back() -> list[Window]:
    """The hours that a run of certify is about now."""
    end = Window.last_full_hour_before(datetime.now(UTC)).start
    return list(Window(end - LOOK_BACK * HOUR, end).hours())


def _delivered(deployment: InProcessDeployment) -> list[Window]:
    """All of the look-back delivered, and certified once."""
    hours = _look_back()
    deployment.tables.create(deployment.datasets.values())
    for name in NAMES:
        dataset = deployment.datasets[name]
        for number, hour in enumerate(hours):
            rows = sampledata.rows(dataset, hour, ROWS, seed=number, outside=0)
            deployment.tables.load(dataset.table, rows)
    deployment.tables.complete(NAMES, hours[-1].end)
    deployment.set(PGP_REOPEN="false")
    for hour in hours:
        for name in NAMES:
            assert deployment.deliver(Slot(name, hour)).error is None
    assert deployment.run({"action": "certify", "datasets": list(NAMES)}).error is None
    return hours


def _bytes(deployment: InProcessDeployment) -> int:
    """What the queries on this deployment's tables have read so far, as BigQuery counts it."""
    jobs = deployment.tables.client.list_jobs(all_users=True)
    ours = [job for job in jobs if deployment.tables.name.rpartition(".")[2] in (getattr(job, "query", "") or "")]
    return sum(int(job.total_bytes_processed or 0) for job in ours)


def test_a_certified_look_back_is_recounted_for_a_tenth_of_reading_all_of_it(deployment: InProcessDeployment) -> None:
    hours = _delivered(deployment)
    whole = Window(hours[0].start, hours[-1].end)
    before = _bytes(deployment)
    source: Source = deployment.within().source
    for name in NAMES:
        dataset = deployment.datasets[name]
        source.hours(dataset, whole, source.readiness(dataset).snapshot)
    everything = _bytes(deployment) - before
    before = _bytes(deployment)
    ran = deployment.run({"action": "certify", "datasets": list(NAMES)})
    assert ran.error is None
    assert not ran.named("window.late_rows")
    depths = _bytes(deployment) - before
    print(
        f"certify of {LOOK_BACK} hours: {depths:,} bytes; all columns: {everything:,}; {everything / depths:.1f} times"
    )
    assert everything / depths > 8


CHANGES: Final = {
    "rows inserted": "INSERT INTO {table} SELECT * REPLACE (CONCAT('x', payment_id) AS payment_id) FROM {table} "
    "WHERE {hour} LIMIT 1",
    "a row that changed again within its hour": "UPDATE {table} SET amount = amount + 1, "
    "updated_at = TIMESTAMP_ADD(updated_at, INTERVAL 1 MICROSECOND) WHERE {hour} AND payment_id LIKE '%7'",
    "rows deleted": "DELETE FROM {table} WHERE {hour} AND payment_id LIKE '%7'",
    "one row for another": "UPDATE {table} SET payment_id = CONCAT('y', payment_id), "
    "updated_at = TIMESTAMP_SUB(updated_at, INTERVAL 1 MICROSECOND) WHERE {hour} AND payment_id LIKE '%7'",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("hours_ago", [3, 30])
def test_the_hourly_run_finds_every_change_that_moves_rows_or_times(
    certifying: Certifying, change: str, hours_ago: int
) -> None:
    slot = _one(certifying, hours_ago)
    _change(certifying.deployment, slot, CHANGES[change])
    certifying.deployment.run({"action": "certify", "datasets": ["payments"]})
    assert certifying.latest(slot)["verdict"] in ("late rows", "rows gone")


BEHIND: Final = "UPDATE {table} SET amount = amount + 1 WHERE {hour} AND payment_id LIKE '%7'"


@pytest.mark.parametrize("hours_ago", [24 + 1, LOOK_BACK + 1 - 1])
def test_a_value_altered_without_a_new_time_is_found_a_day_later_and_before_the_hour_leaves(
    certifying: Certifying, hours_ago: int
) -> None:
    slot = _one(certifying, hours_ago)
    _change(certifying.deployment, slot, BEHIND)
    certifying.deployment.run({"action": "certify", "datasets": ["payments"]})
    assert certifying.latest(slot)["verdict"] == "late rows"


def test_a_value_altered_without_a_new_time_is_found_at_once_where_the_hour_is_asked_for(
    certifying: Certifying,
) -> None:
    slot = _one(certifying, 5)
    _change(certifying.deployment, slot, BEHIND)
    assert certifying.verdict(slot) == "late rows"


def _one(certifying: Certifying, hours_ago: int) -> Slot:
    """An hour of payments so long ago, as certify counts, delivered and certified."""
    deployment = certifying.deployment
    end = Window.last_full_hour_before(datetime.now(UTC)).start
    slot = Slot("payments", Window.hour(end - timedelta(hours=hours_ago)))
    deployment.load(window=slot.window)
    assert deployment.deliver(slot).error is None
    assert certifying.verdict(slot) == "certified"
    return slot


def _change(deployment: InProcessDeployment, slot: Slot, statement: str) -> None:
    hour = f"updated_at >= '{rfc3339(slot.window.start)}' AND updated_at < '{rfc3339(slot.window.end)}'"
    deployment.tables.sql(statement.format(table=f"`{deployment.tables.name}.payments`", hour=hour))
