"""The warehouse: what is counted and what is read are the same rows of the same snapshot, exactly."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pyarrow as pa
import pytest
import requests

from pipeline.clients.bigquery import Source
from pipeline.clients.counts import PartCount, plain
from pipeline.contracts.dataset import Dataset
from pipeline.deliver.csvfile import csv_bytes
from pipeline.deliver.rows import Checks
from pipeline.errors import OutOfTime, SourceUnavailable
from pipeline.window import HOUR, Window
from tests.deployment import HOUR as THEN
from tests.deployment import InProcessDeployment
from tests.sample_contract import CONTRACT, in_file, rows_in_file, sample_contract, table

COUNT = 40


@pytest.fixture
def source(deployment: InProcessDeployment) -> Source:
    """A warehouse with some bookings of one hour, the last four internal."""
    deployment.load_sample(COUNT, internal=4, window=THEN)
    return deployment.within().source


def counted(source: Source, *, parts: int = 1, dataset: Dataset | None = None) -> list[PartCount]:
    """What the hour holds now."""
    contract = dataset or sample_contract()
    return source.count(contract, THEN, now(source), parts=parts)


def now(source: Source) -> datetime:
    """The warehouse's own time."""
    return source.readiness(sample_contract()).snapshot


def read(
    source: Source,
    *,
    part: int = 1,
    parts: int = 1,
    snapshot: datetime | None = None,
    rows_bytes: int | None = None,
) -> list[pa.RecordBatch]:
    """The batches of the hour."""
    at = snapshot or now(source)
    return list(source.batches(sample_contract(), THEN, at, part=part, parts=parts, rows_bytes=rows_bytes))


EITHER_WAY = pytest.mark.parametrize("rows_bytes", [None, 0], ids=["by a job", "from the table"])


def keys(batches: list[pa.RecordBatch]) -> list[tuple[str, int]]:
    """The keys of the rows that were read."""
    return sorted(
        zip(
            [key for one in batches for key in one.column("booking").to_pylist()],
            [line for one in batches for line in one.column("line").to_pylist()],
            strict=True,
        )
    )


def test_a_dataset_is_complete_until_its_watermark(deployment: InProcessDeployment, source: Source) -> None:
    ready = source.readiness(sample_contract())
    assert ready.complete_until == THEN.end
    assert abs(ready.snapshot - datetime.now(THEN.start.tzinfo)) < timedelta(minutes=1)


def test_a_dataset_that_the_watermark_does_not_know_is_complete_for_no_time(source: Source) -> None:
    other = sample_contract(CONTRACT.replace("name: bookings\nversion", "name: others\nversion"))
    assert source.readiness(other).complete_until is None


def test_a_dataset_without_watermark_is_complete_until_now(source: Source) -> None:
    none = sample_contract(CONTRACT.replace("value: watermark", "value: none"))
    ready = source.readiness(none)
    assert ready.complete_until == ready.snapshot


@EITHER_WAY
def test_rows_arrive_with_every_value_exact(source: Source, rows_bytes: int | None) -> None:
    (batch,) = read(source, rows_bytes=rows_bytes)
    dataset = sample_contract()
    found = [tuple(in_file(column, row[column.name]) for column in dataset.columns) for row in batch.to_pylist()]
    assert sorted(found, key=str) == sorted(rows_in_file(table(THEN, COUNT, internal=4)), key=str)
    assert batch.schema.field("amount").type == pa.decimal128(38, 9)
    assert batch.schema.field("rate").type == pa.decimal256(76, 38)
    assert batch.schema.field("touched").type == pa.timestamp("us", "UTC")


def test_no_rows_are_no_batches_with_rows(source: Source) -> None:
    later = Window(THEN.start - HOUR, THEN.start)
    assert sum(one.num_rows for one in source.batches(sample_contract(), later, now(source))) == 0
    assert source.count(sample_contract(), later, now(source)) == []


def test_the_control_totals_of_the_rows_are_those_that_the_warehouse_counts(source: Source) -> None:
    (total,) = counted(source)
    checks = Checks(sample_contract(), THEN)
    assert sum(frame.height for frame in checks.checking(read(source))) == total.rows
    assert {name: plain(value) for name, value in checks.findings.totals.items()} == total.totals
    assert set(total.totals) == {"sum(amount)", "min(line)", "max(touched)"}


def test_what_is_counted_is_what_is_read(source: Source) -> None:
    (total,) = counted(source)
    assert (total.part, total.rows, total.keys) == (1, COUNT - 4, COUNT - 4)
    written = b"".join(csv_bytes(Checks(sample_contract(), THEN).checking(read(source)), sample_contract()))
    assert total.bytes == pytest.approx(len(written), rel=0.2)


def test_a_key_that_stands_twice_is_counted_once(deployment: InProcessDeployment, source: Source) -> None:
    deployment.tables.load("ledger_v2", table(THEN, 2))
    (total,) = counted(source)
    assert (total.rows, total.keys) == (COUNT - 2, COUNT - 4)


def test_parts_cut_the_rows_by_key_without_gap_or_overlap(source: Source) -> None:
    (whole,) = counted(source)
    parts = counted(source, parts=5)
    read_in_parts = [read(source, part=part, parts=5) for part in range(1, 6)]
    assert sum(part.rows for part in parts) == whole.rows
    assert {part.part: part.rows for part in parts} == {
        number: rows for number, one in enumerate(read_in_parts, 1) if (rows := sum(b.num_rows for b in one))
    }
    together = sorted(key for one in read_in_parts for key in keys(one))
    assert together == keys(read(source))
    assert len(set(together)) == len(together)
    assert sum(int(part.fingerprint) for part in parts) == int(whole.fingerprint)


CHANGES: dict[str, str] = {
    "a value": "UPDATE `{0}` SET free_text = 'other' WHERE line = 7",
    "a null to an empty string": "UPDATE `{0}` SET free_text = '' WHERE line = 6",
    "a digit far behind the point": "UPDATE `{0}` SET rate = rate + NUMERIC '0.000000001' WHERE line = 7",
    "a row more": "INSERT INTO `{0}` (booking_no, line, touched) SELECT 'new', 1, touched FROM `{0}` WHERE line = 1",
    "a row less": "DELETE FROM `{0}` WHERE line = 7",
    "a row twice": "INSERT INTO `{0}` SELECT * FROM `{0}` WHERE line = 7",
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_fingerprint_notices_any_change(deployment: InProcessDeployment, source: Source, case: str) -> None:
    (before,) = counted(source)
    deployment.tables.sql(CHANGES[case].format(f"{deployment.tables.name}.ledger_v2"))
    (after,) = counted(source)
    assert after.fingerprint != before.fingerprint


def test_the_fingerprint_does_not_depend_on_order_or_on_what_is_not_shared(
    deployment: InProcessDeployment, source: Source
) -> None:
    (before,) = counted(source)
    ledger = f"{deployment.tables.name}.ledger_v2"
    deployment.tables.sql(f"UPDATE `{ledger}` SET is_internal = NULL WHERE line < {COUNT - 4}")
    deployment.tables.sql(
        f"CREATE TABLE `{deployment.tables.name}.kept` AS SELECT * FROM `{ledger}` ORDER BY line DESC"
    )
    deployment.tables.sql(f"DELETE FROM `{ledger}` WHERE TRUE")
    deployment.tables.sql(f"INSERT INTO `{ledger}` SELECT * FROM `{deployment.tables.name}.kept`")
    (after,) = counted(source)
    assert after == before


def test_one_look_tells_the_watermark_and_the_totals_of_its_own_instant(
    deployment: InProcessDeployment, source: Source
) -> None:
    ready, total = source.look(sample_contract(), THEN)
    assert ready.complete_until == THEN.end
    deployment.tables.sql(f"DELETE FROM `{deployment.tables.name}.ledger_v2` WHERE line > 3")
    assert source.count(sample_contract(), THEN, ready.snapshot) == [total]
    assert source.look(sample_contract(), THEN)[1].rows == 4


def test_a_look_at_an_hour_without_rows_counts_none(source: Source) -> None:
    _, total = source.look(sample_contract(), Window(THEN.start - HOUR, THEN.start))
    assert (total.rows, total.keys, total.bytes, total.fingerprint) == (0, 0, 0, "0")
    assert set(total.totals.values()) == {None}


def test_a_filter_that_a_read_of_the_table_does_not_take_is_left_to_a_job(
    deployment: InProcessDeployment, source: Source
) -> None:
    snapshot = now(source)
    deployment.cloud.break_warehouse("CreateReadSession", "refuse")
    assert keys(read(source, snapshot=snapshot, rows_bytes=0)) == keys(read(source, snapshot=snapshot))


@EITHER_WAY
def test_a_snapshot_is_read_as_it_was_whatever_happened_since(
    deployment: InProcessDeployment, source: Source, rows_bytes: int | None
) -> None:
    snapshot = now(source)
    before = read(source, snapshot=snapshot, rows_bytes=rows_bytes)
    deployment.tables.sql(f"DELETE FROM `{deployment.tables.name}.ledger_v2` WHERE line > 3")
    assert keys(read(source, snapshot=snapshot, rows_bytes=rows_bytes)) == keys(before)
    assert len(keys(read(source, rows_bytes=rows_bytes))) == 4
    (total,) = source.count(sample_contract(), THEN, snapshot)
    assert total.rows == COUNT - 4


def test_a_stream_that_is_not_wanted_to_its_end_leaves_no_thread(source: Source) -> None:
    read(source)
    before = set(threading.enumerate())
    stream = source.batches(sample_contract(), THEN, now(source))
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert not [one for one in set(threading.enumerate()) - before if not one.daemon]


# What goes wrong

CALLS: dict[str, Callable[[Source], object]] = {
    "readiness": lambda source: source.readiness(sample_contract()),
    "count": lambda source: source.count(sample_contract(), THEN, THEN.end),
    "extract": lambda source: list(source.batches(sample_contract(), THEN, THEN.end)),
}


def test_a_table_that_is_not_there_is_named(deployment: InProcessDeployment, source: Source) -> None:
    other = sample_contract(CONTRACT.replace("physicalName: ledger_v2", "physicalName: no_such"))
    with pytest.raises(SourceUnavailable, match=f"does not find {deployment.tables.name}.no_such or watermark"):
        counted(source, dataset=other)


def test_a_query_that_the_warehouse_refuses_is_reported_without_its_text(
    deployment: InProcessDeployment, source: Source
) -> None:
    wrong = sample_contract(CONTRACT.replace("NOT is_internal OR", "no_such_column = 'a secret' OR"))
    with pytest.raises(
        SourceUnavailable, match=r"refuses the count query on .*Compare the contract's columns"
    ) as caught:
        counted(source, dataset=wrong)
    assert "secret" not in str(caught.value)
    assert "no_such_column" not in str(caught.value)


def test_a_row_whose_filter_became_null_has_left_the_subset(deployment: InProcessDeployment, source: Source) -> None:
    contract = sample_contract(CONTRACT.replace('"NOT is_internal OR is_internal IS NULL"', "NOT is_internal"))
    then = now(source)
    name = deployment.tables.name
    deployment.tables.sql(f"UPDATE `{name}.ledger_v2` SET is_internal = NULL WHERE NOT is_internal")
    found = source.changes(contract, THEN, then, now(source))
    assert found.gone == found.moved > 0
    assert (found.added, found.altered) == (0, 0)


ANSWERS: dict[str, tuple[int, str, str, str]] = {
    "the response is too large": (
        *(403, "responseTooLarge", "Response too large to return. Consider specifying a destination table in your job"),
        "more than BigQuery returns at once.*MAX_PART_BYTES",
    ),
    "a row access policy": (
        *(403, "accessDenied", "Access Denied: Table p:d.t: time travel on a table with row-level access policies"),
        "row access policies.*overrideTimeTravelRestrictions",
    ),
    "a quota": (
        *(403, "quotaExceeded", "Quota exceeded: Your project exceeded quota for free query bytes scanned."),
        "A quota of BigQuery is used up.*IAM, Quotas",
    ),
    "too many queries at once": (
        *(403, "jobRateLimitExceeded", "Exceeded rate limits: too many concurrent queries for this project_and_region"),
        "too much to do for this project just now",
    ),
    "a table made anew, in older words": (
        *(
            400,
            "invalidQuery",
            "Invalid snapshot time 1601168925462 for table p:d.t@1601168925462. Cannot read before 16.",
        ),
        "dropped and made anew since.*revise",
    ),
    "missing roles": (
        *(403, "accessDenied", "Access Denied: Project p: User does not have bigquery.jobs.create permission"),
        "the function's account needs roles/bigquery.dataViewer",
    ),
    "bytes, as the job's own error": (
        *(500, "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 1. 20971520 or higher required."),
        r"MAX_BYTES_BILLED allows \(20971520 are needed\).*partitioned",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
@pytest.mark.parametrize(("match", "call"), [("jobs.query", "count"), ("jobs.insert", "extract")])
def test_every_refusal_of_bigquery_has_a_sentence_of_its_own(
    deployment: InProcessDeployment, source: Source, case: str, match: str, call: str
) -> None:
    status, reason, message, sentence = ANSWERS[case]
    fault = {"match": match, "action": "refuse", "times": 50, "status": status, "reason": reason, "message": message}
    address = deployment.cloud.services["bigquery"].ready["rest"]
    requests.post(f"{address}/_faults", json=fault, timeout=10).raise_for_status()
    try:
        with pytest.raises(SourceUnavailable, match=sentence) as caught:
            CALLS[call](deployment.within(20).source)
    finally:
        requests.delete(f"{address}/_faults", timeout=10).raise_for_status()
    assert ("roles/" in caught.value.message) == (case == "missing roles")
    assert message not in caught.value.message


def test_a_query_over_the_bytes_limit_says_what_it_needs(deployment: InProcessDeployment, source: Source) -> None:
    deployment.set(MAX_BYTES_BILLED="10485760")
    assert counted(deployment.within().source)
    deployment.tables.sql(
        f"CREATE OR REPLACE TABLE `{deployment.tables.name}.ledger_v2` AS SELECT * REPLACE "
        f"(REPEAT('x', 2000000) AS free_text) FROM `{deployment.tables.name}.ledger_v2`"
    )
    with pytest.raises(SourceUnavailable, match=r"MAX_BYTES_BILLED allows \(\d+ are needed\)"):
        counted(deployment.within().source)


def test_a_table_that_was_dropped_and_made_anew_says_so(deployment: InProcessDeployment, source: Source) -> None:
    before = now(source)
    name = f"{deployment.tables.name}.ledger_v2"
    deployment.tables.sql(f"CREATE TABLE `{deployment.tables.name}.kept` AS SELECT * FROM `{name}`")
    deployment.tables.sql(f"DROP TABLE `{name}`")
    deployment.tables.sql(f"CREATE TABLE `{name}` AS SELECT * FROM `{deployment.tables.name}.kept`")
    with pytest.raises(SourceUnavailable, match="was dropped and made anew since"):
        source.count(sample_contract(), THEN, before)


def test_a_view_keeps_no_past(deployment: InProcessDeployment, source: Source) -> None:
    name = deployment.tables.name
    deployment.tables.sql(f"CREATE VIEW `{name}.seen` AS SELECT * FROM `{name}.ledger_v2`")
    view = sample_contract(CONTRACT.replace("physicalName: ledger_v2", "physicalName: seen"))
    with pytest.raises(SourceUnavailable, match="is a view or an external table"):
        source.count(view, THEN, now(source))


def test_a_snapshot_by_a_clock_that_is_fast_says_so(source: Source) -> None:
    with pytest.raises(SourceUnavailable, match="the clock that took the snapshot is fast"):
        source.count(sample_contract(), THEN, now(source) + timedelta(minutes=5))


@pytest.mark.parametrize("call", CALLS)
def test_no_query_is_begun_when_the_time_is_over(deployment: InProcessDeployment, call: str) -> None:
    with pytest.raises(OutOfTime):
        CALLS[call](deployment.within(-1).source)


@pytest.mark.parametrize("call", CALLS)
def test_a_warehouse_that_is_not_there_is_noticed_within_the_budget(deployment: InProcessDeployment, call: str) -> None:
    deployment.set(BIGQUERY_EMULATOR_HOST="http://127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises((SourceUnavailable, OutOfTime)):
        CALLS[call](deployment.within(1.5).source)
    assert time.monotonic() - began < 30  # far below a call's own limit


@pytest.mark.parametrize(
    ("match", "call"), [("jobs.query", "count"), ("jobs.insert", "extract"), ("ReadRows", "extract")]
)
def test_a_warehouse_that_hangs_is_given_up_within_the_budget(
    deployment: InProcessDeployment, source: Source, match: str, call: str
) -> None:
    deployment.cloud.break_warehouse(match, "hang", times=50)
    began = time.monotonic()
    with pytest.raises((SourceUnavailable, OutOfTime)):
        CALLS[call](deployment.within(1.5).source)
    assert time.monotonic() - began < 30  # far below a call's own limit


@pytest.mark.parametrize("match", ["ReadRows", "CreateReadSession"])
def test_a_stream_that_breaks_once_goes_on_without_losing_or_doubling_a_row(
    deployment: InProcessDeployment, source: Source, match: str
) -> None:
    expected = keys(read(source))
    deployment.cloud.break_warehouse(match, "error")
    assert keys(read(source)) == expected


def test_a_stream_that_keeps_breaking_is_an_error_that_may_pass(
    deployment: InProcessDeployment, source: Source
) -> None:
    deployment.cloud.break_warehouse("ReadRows", "error", times=1000)
    with pytest.raises((SourceUnavailable, OutOfTime)):
        CALLS["extract"](deployment.within(2).source)
    assert SourceUnavailable.retryable
