"""Bytes as BigQuery counts them: the columns that a statement needs, in the partitions that its constants leave."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import bigquery

from localcloud.bigquery.client import Local, running

HOURS = 48
ROWS = 10
"""Rows in each of the 48 hours of two days."""
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KEY, TIME, TEXT, FLAG = 8, 8, 2 + 5, 1
"""Widths: https://cloud.google.com/bigquery/pricing#data; a text is two bytes and its own."""
ALL = KEY + TIME + TEXT + FLAG
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with running() as server:
        server.bigquery.create_dataset("d")
        rows = f"""SELECT n AS id,
            TIMESTAMP_ADD(TIMESTAMP '2026-01-01 00:00:30+00:00', INTERVAL DIV(n, {ROWS}) HOUR) AS moment,
            'texts' AS note, TRUE AS yes FROM UNNEST(GENERATE_ARRAY(0, {HOURS * ROWS - 1})) AS n"""
        for name, by in {
            "hourly": "PARTITION BY TIMESTAMP_TRUNC(moment, HOUR) CLUSTER BY id",
            "daily": "PARTITION BY DATE(moment)",
            "ranged": "PARTITION BY RANGE_BUCKET(id, GENERATE_ARRAY(0, 1000, 100))",
            "flat": "",
        }.items():
            server.rows(f"CREATE TABLE d.{name} {by} AS {rows}")
        server.rows("CREATE VIEW d.seen AS SELECT id, moment, note FROM d.hourly WHERE yes")
        server.rows(
            "CREATE TABLE d.few AS SELECT 1 AS id, TIMESTAMP '2026-01-01 03:00:00+00:00' AS moment, 'texts' AS note"
        )
        yield server


def processed(local: Local, sql: str, *parameters: Any) -> int:
    """Bytes by a dry run, which for a query must be those of the job itself."""
    config = bigquery.QueryJobConfig(query_parameters=list(parameters), dry_run=True)
    estimated = local.bigquery.query(sql, job_config=config).total_bytes_processed
    if sql.lstrip().startswith(("SELECT", "WITH")):
        job = local.bigquery.query(sql, job_config=bigquery.QueryJobConfig(query_parameters=list(parameters)))
        job.result()
        assert job.total_bytes_processed == estimated
    return int(estimated or 0)


BOUNDS = (
    bigquery.ScalarQueryParameter("start", "TIMESTAMP", START + dt.timedelta(hours=5)),
    bigquery.ScalarQueryParameter("end", "TIMESTAMP", START + dt.timedelta(hours=6)),
)


FLAT: dict[str, int] = {
    "SELECT id FROM d.flat": KEY,
    "SELECT * FROM d.flat": ALL,
    "SELECT * EXCEPT (note) FROM d.flat": ALL - TEXT,
    "SELECT COUNT(*) FROM d.flat": 0,
    "SELECT 1 FROM d.flat WHERE yes": FLAG,
    "SELECT id FROM (SELECT * FROM d.flat)": KEY,
    "WITH x AS (SELECT * FROM d.flat) SELECT MAX(moment) FROM x": TIME,
    "SELECT id FROM d.flat ORDER BY moment LIMIT 1": KEY + TIME,
    "SELECT * FROM d.flat LIMIT 0": 0,
    "SELECT * FROM (SELECT * FROM d.flat) AS t WHERE FALSE LIMIT 0": 0,
    "SELECT TO_JSON_STRING(t) FROM d.flat AS t": ALL,
    "SELECT TO_JSON_STRING(STRUCT(id, note)) FROM d.flat": KEY + TEXT,
    "SELECT a.id FROM d.flat AS a JOIN d.flat AS b ON a.id = b.id AND b.yes": KEY + FLAG,
    "SELECT id FROM d.flat WHERE moment >= @start AND moment < @end": KEY + TIME,
    "SELECT (SELECT MAX(note) FROM d.flat) AS note": TEXT,
    "SELECT a.id FROM d.flat AS a WHERE EXISTS (SELECT 1 FROM d.flat AS b WHERE a.note = b.note)": KEY + TEXT,
}


@pytest.mark.parametrize("sql", FLAT)
def test_only_the_columns_that_a_query_needs_count(local: Local, sql: str) -> None:
    assert processed(local, sql, *BOUNDS) == HOURS * ROWS * FLAT[sql]


HOUR = ROWS * (KEY + TIME)
CONDITIONS: dict[str, int] = {
    "moment >= @start AND moment < @end": 1,
    "moment >= @start AND moment <= @end": 2,
    "moment BETWEEN TIMESTAMP '2026-01-01 05:00:00+00:00' AND TIMESTAMP '2026-01-01 06:59:59+00:00'": 2,
    "moment > TIMESTAMP '2026-01-01 05:30:00+00:00' AND @end > moment": 1,
    "moment = TIMESTAMP '2026-01-01 05:00:30+00:00'": 1,
    "moment IN (TIMESTAMP '2026-01-01 05:00:30+00:00', @end)": 2,
    "moment < TIMESTAMP_ADD(TIMESTAMP '2026-01-01 00:00:00+00:00', INTERVAL 3 HOUR)": 3,
    "DATE(moment) = '2026-01-02'": 24,
    "TIMESTAMP_TRUNC(moment, DAY) < TIMESTAMP '2026-01-02 00:00:00+00:00'": 24,
    "(moment < @end AND moment >= @start) OR DATE(moment) = '2026-01-02'": 25,
    "moment >= @start AND moment < @end AND (id < 7 OR moment < @end)": 1,
    "NOT (moment < @start OR moment >= @end)": 1,
    "moment IS NULL": 0,
    "moment < CURRENT_TIMESTAMP()": HOURS,
    # What BigQuery cannot prune by:
    "moment >= @start OR id = 1": HOURS,
    "id = 1": HOURS,
    "moment >= (SELECT MAX(moment) FROM d.few)": HOURS,
    "TIMESTAMP_ADD(moment, INTERVAL 1 HOUR) >= @end": HOURS,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_constants_and_parameters_prune_partitions_and_nothing_else_does(local: Local, condition: str) -> None:
    few = TIME if "d.few" in condition else 0
    found = processed(local, f"SELECT id, moment FROM d.hourly WHERE {condition}", *BOUNDS)
    assert found == CONDITIONS[condition] * HOUR + few


@pytest.mark.parametrize(
    ("table", "condition", "rows"),
    [
        ("daily", "moment >= @start AND moment < @end", 24 * ROWS),
        ("daily", "DATE(moment) >= '2026-01-02'", 24 * ROWS),
        ("ranged", "id >= 100 AND id < 200", 100),
        ("ranged", "id = 150", 100),
        ("flat", "moment >= @start AND moment < @end", HOURS * ROWS),
    ],
)
def test_whole_partitions_are_read_whatever_they_are_by(local: Local, table: str, condition: str, rows: int) -> None:
    assert processed(local, f"SELECT id, moment FROM d.{table} WHERE {condition}", *BOUNDS) == rows * (KEY + TIME)


JOINS: dict[str, int] = {
    "SELECT b.id, b.moment FROM d.few a JOIN d.hourly b ON a.id = b.id AND b.moment < @end AND b.moment >= @start": 1,
    "SELECT b.id FROM d.few a LEFT JOIN d.hourly b ON b.moment < @end AND b.moment >= @start AND a.id = b.id": 1,
    "SELECT b.id, b.moment FROM d.hourly AS b LEFT JOIN d.few AS a ON a.id = b.id AND b.moment < @end": HOURS,
    "SELECT id, moment FROM (SELECT * FROM d.hourly) WHERE moment < @end AND moment >= @start": 1,
    "WITH x AS (SELECT id, moment FROM d.hourly) SELECT * FROM x WHERE moment < @end AND moment >= @start": 1,
}


@pytest.mark.parametrize("sql", JOINS)
def test_conditions_reach_a_table_through_joins_and_subqueries(local: Local, sql: str) -> None:
    assert processed(local, sql, *BOUNDS) - (KEY if "d.few" in sql else 0) == JOINS[sql] * HOUR


def test_a_view_costs_what_its_query_costs(local: Local) -> None:
    found = processed(local, "SELECT id FROM d.seen WHERE moment >= @start AND moment < @end", *BOUNDS)
    assert found == ROWS * (KEY + TIME + FLAG)


ROW = ALL * ROWS
CHANGES: dict[str, int] = {
    "INSERT INTO d.flat SELECT * FROM d.hourly WHERE moment < @end AND moment >= @start": ROW,
    "INSERT INTO d.flat SELECT * FROM d.hourly WHERE moment < @end AND moment >= @start LIMIT 0": ROW,
    "INSERT INTO d.few (id) VALUES (2)": 0,
    "UPDATE d.hourly SET note = 'other' WHERE moment >= @start AND moment < @end": ROW + ROWS * TIME,
    "UPDATE d.hourly SET note = CAST(id AS STRING) WHERE yes": HOURS * (ROW + ROWS * (KEY + FLAG)),
    "DELETE FROM d.hourly WHERE moment >= @start AND moment < @end AND yes": ROW + ROWS * (TIME + FLAG),
    "CREATE TABLE d.copied AS SELECT id FROM d.flat": HOURS * ROWS * KEY,
    "MERGE d.hourly AS t USING d.few AS s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)": (
        HOURS * ROWS * KEY + KEY
    ),
    "MERGE d.hourly AS t USING d.few AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET note = s.note": (
        HOURS * (ROW + ROWS * KEY) + KEY + TEXT
    ),
    """MERGE d.hourly AS t USING d.few AS s ON t.id = s.id AND t.moment >= @start AND t.moment < @end
    WHEN MATCHED THEN UPDATE SET note = s.note WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)""": (
        ROW + ROWS * (KEY + TIME) + KEY + TEXT
    ),
    """MERGE d.hourly AS t USING d.few AS s ON t.id = s.id AND t.moment >= @start AND t.moment < @end
    WHEN MATCHED THEN UPDATE SET note = s.note WHEN NOT MATCHED BY SOURCE THEN DELETE""": (
        HOURS * (ROW + ROWS * (KEY + TIME)) + KEY + TEXT
    ),
    """MERGE d.hourly AS t USING d.few AS s ON t.id = s.id
    WHEN MATCHED AND t.moment >= @start AND t.moment < @end THEN DELETE""": ROW + ROWS * (KEY + TIME) + KEY,
    """MERGE d.hourly AS t USING d.few AS s ON FALSE
    WHEN NOT MATCHED BY SOURCE AND t.moment < @end AND t.moment >= @start
    THEN DELETE WHEN NOT MATCHED THEN INSERT (id, note) VALUES (s.id, s.note)""": ROW + ROWS * TIME + KEY + TEXT,
}


@pytest.mark.parametrize("sql", CHANGES)
def test_what_a_statement_changes_is_counted_with_all_columns_of_its_partitions(local: Local, sql: str) -> None:
    assert processed(local, sql, *BOUNDS) == CHANGES[sql]


def test_a_statement_that_ran_says_the_bytes_that_its_dry_run_said(local: Local) -> None:
    local.rows("CREATE TABLE d.merged PARTITION BY TIMESTAMP_TRUNC(moment, HOUR) AS SELECT * FROM d.hourly")
    sql = "MERGE d.merged AS t USING d.few AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET note = s.note"
    expected = processed(local, sql)
    job = local.bigquery.query(sql)
    job.result()
    assert (job.total_bytes_processed, job.num_dml_affected_rows) == (expected, 1)


def test_every_table_is_billed_ten_megabytes_at_least_and_the_sum_in_whole_ones(local: Local) -> None:
    local.rows("CREATE TABLE d.large AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 1500000)) AS n")
    billed = {
        "SELECT 1": 0,
        "SELECT COUNT(*) FROM d.few": 0,
        "SELECT id FROM d.few": 10,
        "SELECT a.id FROM d.few AS a JOIN d.flat AS b ON a.id = b.id": 20,
        "SELECT n FROM d.large": 12,
        "SELECT n FROM d.large JOIN d.few ON id = n": 22,
    }
    found = {}
    for sql in billed:
        job = local.bigquery.query(sql)
        job.result()
        found[sql] = (job.total_bytes_billed or 0) / MEGABYTE
    assert found == billed


def test_the_limit_of_a_job_is_judged_after_pruning(local: Local) -> None:
    narrow = "SELECT id FROM d.hourly WHERE moment >= @start AND moment < @end"
    assert len(local.rows(narrow, *BOUNDS, maximum_bytes_billed=10 * MEGABYTE)) == ROWS


def test_null_counts_nothing_and_text_counts_its_bytes(local: Local) -> None:
    local.rows("""CREATE TABLE d.texts AS SELECT 'é' AS text, CAST(NULL AS STRING) AS nothing, b'\\x00\\x01' AS raw,
        ['ab', ''] AS list, JSON '{"a": 1}' AS doc, NUMERIC '1' AS number""")
    sizes = {"text": 4, "nothing": 0, "raw": 4, "list": 6, "doc": 9, "number": 16}
    assert {name: processed(local, f"SELECT {name} FROM d.texts") for name in sizes} == sizes
