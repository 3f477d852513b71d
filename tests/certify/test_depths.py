"""The recount in depths: what it costs, and that it finds every kind of change when it is promised."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from localcloud import sampledata
from pipeline.certify import depths
from pipeline.clients.bigquery import Source
from pipeline.window import HOUR, Slot, Window, rfc3339
from tests.certify.conftest import Certifying
from tests.deployment import InProcessDeployment, Ran

LOOK_BACK: Final = 48
NAMES: Final = ("payments",)
ROWS: Final = 30
FOUND: Final = ("late rows", "rows gone")


def _ages(look_back: int, *wanted: depths.Depth) -> list[int]:
    """The ages of an hour, in hours, at which it is looked at so."""
    return [hours for hours in range(1, look_back + 1) if depths.due(hours, look_back) in wanted]


@pytest.mark.parametrize("since", range(1, depths.MOST_MISSED + 1))
def test_whatever_looks_did_not_happen_the_next_one_is_as_deep_as_they_would_have_been(since: int) -> None:
    order = ("nothing", "totals", "columns")
    for hours in range(1, LOOK_BACK + since):
        missed = [depths.due(age, LOOK_BACK) for age in range(max(1, hours - since + 1), hours + 1)]
        assert depths.due(hours, LOOK_BACK, since) == max(missed, key=order.index)


NOT_DUE: Final = next(iter({*range(25, LOOK_BACK)} - {*_ages(LOOK_BACK, "columns", "totals")}))
"""The age of an old hour of which nothing is due."""


@pytest.mark.parametrize("look_back", [2, 5, 24, 30, LOOK_BACK, 72])
def test_all_columns_are_due_every_24_hours_and_rows_and_times_each_hour_at_first_and_every_12_hours(
    look_back: int,
) -> None:
    deep, counted = _ages(look_back, "columns"), _ages(look_back, "columns", "totals")
    assert max(later - earlier for earlier, later in zip([0, *deep], deep, strict=False)) <= 24
    assert max(later - earlier for earlier, later in zip([0, *counted], counted, strict=False)) <= 12
    assert counted[: depths.YOUNG] == list(range(1, look_back + 1))[: depths.YOUNG]
    assert counted[-2:] == [look_back - 1, look_back]
    assert deep[-1] == look_back


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


def test_a_certified_look_back_is_recounted_for_a_twentieth_of_reading_all_of_it(
    deployment: InProcessDeployment,
) -> None:
    hours = _delivered(deployment)
    whole = Window(hours[0].start, hours[-1].end)
    before = _bytes(deployment)
    source: Source = deployment.within().source
    for name in NAMES:
        dataset = deployment.datasets[name]
        source.hours(dataset, [whole], source.readiness(dataset).snapshot)
    everything = _bytes(deployment) - before
    before = _bytes(deployment)
    ran = deployment.run({"action": "certify", "datasets": list(NAMES)})
    assert ran.error is None
    assert not ran.named("window.late_rows")
    asked_for = _bytes(deployment) - before
    print(f"certify: {asked_for:,} bytes; all columns of all hours: {everything / asked_for:.1f} times as many")
    assert everything / asked_for >= 20


CHANGES: Final = {
    "rows inserted": "INSERT INTO {table} SELECT * REPLACE (CONCAT('x', payment_id) AS payment_id) FROM {table} "
    "WHERE {hour} AND in_program LIMIT 1",
    "a row that changed again within its hour": "UPDATE {table} SET amount = amount + 1, "
    "updated_at = TIMESTAMP_ADD(updated_at, INTERVAL 1 MICROSECOND) WHERE {hour} AND payment_id LIKE '%7'",
    "rows deleted": "DELETE FROM {table} WHERE {hour} AND payment_id LIKE '%7'",
    "one row for another": "UPDATE {table} SET payment_id = CONCAT('y', payment_id), "
    "updated_at = TIMESTAMP_SUB(updated_at, INTERVAL 1 MICROSECOND) WHERE {hour} AND payment_id LIKE '%7'",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("hours", [3, 36])
def test_a_look_at_rows_and_times_finds_every_change_that_moves_them(
    certifying: Certifying, change: str, hours: int
) -> None:
    slot = _certified(certifying, hours)
    _change(certifying.deployment, slot, CHANGES[change])
    _hourly(certifying)
    assert certifying.latest(slot)["verdict"] in FOUND


@pytest.mark.parametrize("change", CHANGES)
def test_the_first_look_finds_what_changed_since_the_plan(certifying: Certifying, change: str) -> None:
    slot = _delivered_one(certifying, 1)
    _change(certifying.deployment, slot, CHANGES[change])
    _hourly(certifying)
    assert certifying.latest(slot)["verdict"] in FOUND


def test_the_first_certificate_says_that_not_all_columns_were_read_and_one_of_an_old_plan_that_they_were(
    certifying: Certifying,
) -> None:
    slot = _delivered_one(certifying, 2)
    planned_earlier = _delivered_one(certifying, 1)
    _rewrite_plan(certifying, planned_earlier)
    _hourly(certifying)
    certificate = certifying.latest(slot)
    assert (certificate["verdict"], certificate["compared"]) == ("certified", None)
    assert certificate["counted"] is not None
    assert certificate["fingerprint_now"] == certificate["fingerprint_planned"]
    assert certifying.latest(planned_earlier)["compared"] is not None


BEHIND: Final = "UPDATE {table} SET amount = amount + 1 WHERE {hour} AND payment_id LIKE '%7'"


@pytest.mark.parametrize("hours", [24, LOOK_BACK])
def test_a_value_altered_without_a_new_time_is_found_every_24_hours(certifying: Certifying, hours: int) -> None:
    slot = _certified(certifying, hours)
    _change(certifying.deployment, slot, BEHIND)
    _hourly(certifying)
    assert certifying.latest(slot)["verdict"] == "late rows"


def test_a_look_at_all_columns_that_did_not_happen_is_made_up_for(certifying: Certifying) -> None:
    slot = _certified(certifying, NOT_DUE)
    _forget_comparison(certifying, slot)
    _change(certifying.deployment, slot, BEHIND)
    _hourly(certifying)
    assert certifying.latest(slot)["verdict"] == "late rows"


def test_what_left_the_look_back_while_certify_was_out_is_looked_at_by_the_next_run(certifying: Certifying) -> None:
    left = _certified(certifying, LOOK_BACK + 2)
    too_long_ago = _certified(certifying, LOOK_BACK + 3)
    for slot in (left, too_long_ago):
        _change(certifying.deployment, slot, CHANGES["rows inserted"])
    _delivered_one(certifying, 3)  # and never certified: the looks of two hours did not happen
    _hourly(certifying)
    assert certifying.latest(left)["verdict"] == "late rows"
    assert certifying.latest(too_long_ago)["verdict"] == "certified"


def test_what_the_last_look_at_an_hour_had_sent_again_is_certified_after_the_hour_has_left_the_look_back(
    certifying: Certifying,
) -> None:
    sent, certified = _delivered_one(certifying, LOOK_BACK + 1), _certified(certifying, LOOK_BACK + 2)
    _change(certifying.deployment, certified, CHANGES["rows inserted"])
    for _ in range(2):
        _hourly(certifying)
    assert certifying.latest(sent)["verdict"] == "certified"
    assert certifying.latest(sent)["compared"] is not None
    for slot in (sent, certified):  # and once is enough
        assert [name for name in certifying.deployment.records(slot) if "/certificate-" in name] == ["r1/certificate-1"]


def test_an_upload_that_breaks_off_after_the_last_look_at_its_hour_is_found_and_its_file_sent_again(
    certifying: Certifying,
) -> None:
    """As a person's `deliver --here --resend` does, of which no message is left."""
    slot = _certified(certifying, LOOK_BACK + 1)
    certifying.cut(slot, resend=True)
    certifying.half_file_appears()
    _hourly(certifying)
    assert certifying.latest(slot)["verdict"] == "partner mismatch"
    assert certifying.deployment.drain()
    assert certifying.deployment.identical(slot, *certifying.deployment.received())
    _hourly(certifying)
    assert certifying.latest(slot)["verdict"] == "unsettled"


def test_the_first_look_at_all_columns_is_recorded_once_and_is_no_event(certifying: Certifying) -> None:
    slot = _certified(certifying, 24)
    _forget_comparison(certifying, slot)
    runs = [_hourly(certifying) for _ in range(2)]
    assert [name for name in certifying.deployment.records(slot) if "/certificate-" in name] == [
        "r1/certificate-1",
        "r1/certificate-2",
    ]
    assert certifying.latest(slot)["compared"] is not None
    assert not [event for run in runs for event in run.named("window.certified")]


def test_a_value_altered_without_a_new_time_is_found_at_once_where_the_hour_is_asked_for(
    certifying: Certifying,
) -> None:
    slot = _certified(certifying, 5)
    _change(certifying.deployment, slot, BEHIND)
    assert certifying.verdict(slot) == "late rows"


def test_a_certificate_of_a_look_that_read_nothing_says_when_its_figures_are_from(certifying: Certifying) -> None:
    slot = _certified(certifying, NOT_DUE)
    before = certifying.latest(slot)
    for file in certifying.deployment.received():
        file.unlink()
    _hourly(certifying)
    after = certifying.latest(slot)
    assert after["verdict"] == "vanished"
    assert all(after[name] == before[name] for name in ("rows_now", "counted", "compared"))


def test_an_hour_that_needs_attention_is_counted_by_every_look(certifying: Certifying) -> None:
    slot = _certified(certifying, NOT_DUE)
    certifying.deployment.set(REVISE_LATE_ROWS="false")
    _change(certifying.deployment, slot, CHANGES["rows inserted"])
    assert certifying.verdict(slot) == "late rows"
    before = certifying.latest(slot)["rows_now"]
    _change(certifying.deployment, slot, CHANGES["rows inserted"])
    _hourly(certifying)
    assert certifying.latest(slot)["rows_now"] == before + 1


def _hourly(certifying: Certifying) -> Ran:
    ran = certifying.deployment.run({"action": "certify", "datasets": ["payments"]})
    assert ran.error is None
    return ran


def _delivered_one(certifying: Certifying, hours: int) -> Slot:
    """An hour of payments that ended so many hours before the hour of certify's look, delivered."""
    deployment = certifying.deployment
    deployment.set(FIRST_HOUR=rfc3339(datetime.now(UTC)))  # no other hour is due
    end = Window.last_full_hour_before(datetime.now(UTC)).start
    slot = Slot("payments", Window.hour(end - timedelta(hours=hours)))
    deployment.load(window=slot.window)
    assert deployment.deliver(slot).error is None
    return slot


def _certified(certifying: Certifying, hours: int) -> Slot:
    """The same, and certified by all columns."""
    slot = _delivered_one(certifying, hours)
    assert certifying.verdict(slot) == "certified"
    return slot


def _rewrite_plan(certifying: Certifying, slot: Slot) -> None:
    """The plan as 0.1.0 would have recorded it."""
    folder = certifying.deployment.within().records.folder(slot).revision(1)
    plan = folder.plan()
    assert plan is not None
    _delete(certifying, slot, "plan")
    parts = tuple(replace(part, change_total=None) for part in plan.parts)
    folder.create_plan(plan.model_copy(update={"parts": parts}))


def _forget_comparison(certifying: Certifying, slot: Slot) -> None:
    """The certificate as a look at rows and times would have recorded it."""
    folder = certifying.deployment.within().records.folder(slot).revision(1)
    certificate = folder.certificate()
    assert certificate is not None
    _delete(certifying, slot, "certificate-1")
    bare = replace(folder, names={})
    bare.add_certificate(certificate.model_copy(update={"compared": None}))


def _delete(certifying: Certifying, slot: Slot, name: str) -> None:
    deployment = certifying.deployment
    path = f"deliveries/{slot.folder}/r1/{name}.json"
    deployment.cloud.storage.bucket(deployment.records_bucket).blob(path).delete()


def _change(deployment: InProcessDeployment, slot: Slot, statement: str) -> None:
    hour = f"updated_at >= '{rfc3339(slot.window.start)}' AND updated_at < '{rfc3339(slot.window.end)}'"
    deployment.tables.sql(statement.format(table=f"`{deployment.tables.name}.payments`", hour=hour))
