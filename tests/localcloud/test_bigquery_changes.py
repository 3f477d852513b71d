"""DML, DDL, scripts and time travel of the local BigQuery."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest
from google.api_core import exceptions
from google.cloud import bigquery

from localcloud.bigquery.client import Local, running


@pytest.fixture(scope="module")
def server() -> Iterator[Local]:
    with running() as local:
        local.bigquery.create_dataset("d")
        yield local


@pytest.fixture
def local(server: Local) -> Local:
    """The server with a table `d.t` of three rows."""
    server.rows("CREATE OR REPLACE TABLE d.t (k STRING NOT NULL, v INT64, n NUMERIC(5, 2) DEFAULT 1.5)")
    server.rows("INSERT INTO d.t (k, v) VALUES ('a', 1), ('b', 2), ('c', NULL)")
    return server


def now(local: Local) -> dt.datetime:
    (found,) = local.rows("SELECT CURRENT_TIMESTAMP()")[0]
    assert isinstance(found, dt.datetime)
    return found


def state(local: Local, at: dt.datetime | None = None) -> list[tuple[object, ...]]:
    version = f" FOR SYSTEM_TIME AS OF TIMESTAMP '{at.isoformat()}'" if at else ""
    return local.rows(f"SELECT k, v FROM d.t{version} ORDER BY k")


def dml(local: Local, sql: str) -> tuple[int, int, int]:
    """Rows inserted, updated, deleted."""
    job = local.bigquery.query(sql, job_retry=None)
    job.result()
    stats = job.dml_stats
    assert stats is not None
    assert stats.inserted_row_count + stats.updated_row_count + stats.deleted_row_count == job.num_dml_affected_rows
    return stats.inserted_row_count, stats.updated_row_count, stats.deleted_row_count


def test_inserts_fill_in_defaults_and_round_to_the_scale(local: Local) -> None:
    assert dml(local, "INSERT INTO d.t VALUES ('d', 4, 2.345), ('e', 5, DEFAULT)") == (2, 0, 0)
    assert local.rows("SELECT n FROM d.t WHERE k > 'c' ORDER BY k") == [(Decimal("2.35"),), (Decimal("1.5"),)]
    assert dml(local, "INSERT INTO d.t (v, k) SELECT v + 10, CONCAT(k, 'x') FROM d.t WHERE v < 3") == (2, 0, 0)
    assert state(local)[:3] == [("a", 1), ("ax", 11), ("b", 2)]


def test_an_update_touches_only_its_rows(local: Local) -> None:
    assert dml(local, "UPDATE d.t SET v = v + 10 WHERE v > 1") == (0, 1, 0)
    assert state(local) == [("a", 1), ("b", 12), ("c", None)]
    assert dml(local, "UPDATE d.t x SET v = s.v FROM (SELECT 'c' AS k, 3 AS v) s WHERE x.k = s.k") == (0, 1, 0)
    assert state(local) == [("a", 1), ("b", 12), ("c", 3)]


def test_a_delete_takes_only_its_rows(local: Local) -> None:
    assert dml(local, "DELETE FROM d.t WHERE v IS NULL OR k IN (SELECT 'a')") == (0, 0, 2)
    assert state(local) == [("b", 2)]
    with pytest.raises(exceptions.BadRequest, match="WHERE"):
        local.rows("DELETE FROM d.t")


def test_a_merge_updates_deletes_and_inserts_at_once(local: Local) -> None:
    sql = """MERGE d.t t USING (SELECT 'a' AS k, 10 AS v UNION ALL SELECT 'z', 26) s ON t.k = s.k
        WHEN MATCHED AND s.v > 5 THEN UPDATE SET v = s.v + t.v
        WHEN NOT MATCHED BY SOURCE AND t.v IS NULL THEN DELETE
        WHEN NOT MATCHED THEN INSERT (k, v) VALUES (k, v)"""
    assert dml(local, sql) == (1, 1, 1)
    assert state(local) == [("a", 11), ("b", 2), ("z", 26)]


def test_the_first_clause_that_fits_takes_the_row(local: Local) -> None:
    sql = """MERGE d.t t USING d.t s ON t.k = s.k
        WHEN MATCHED AND t.v = 1 THEN UPDATE SET v = 100
        WHEN MATCHED AND t.v < 50 THEN DELETE"""
    assert dml(local, sql) == (0, 1, 1)
    assert state(local) == [("a", 100), ("c", None)]


def test_a_merge_on_false_replaces_as_dbts_insert_overwrite_does(local: Local) -> None:
    sql = """MERGE INTO d.t AS DBT_INTERNAL_DEST
        USING (SELECT 'n' AS k, 1 AS v, NUMERIC '2' AS n) AS DBT_INTERNAL_SOURCE
        ON FALSE WHEN NOT MATCHED BY SOURCE AND DBT_INTERNAL_DEST.k < 'c' THEN DELETE
        WHEN NOT MATCHED THEN INSERT (`k`, `v`, `n`) VALUES (`k`, `v`, `n`)"""
    assert dml(local, sql) == (1, 0, 2)
    assert state(local) == [("c", None), ("n", 1)]


def test_a_merge_that_matches_a_row_twice_changes_nothing(local: Local) -> None:
    sql = "MERGE d.t t USING (SELECT 'a' AS k UNION ALL SELECT 'a') s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = 0"
    with pytest.raises(exceptions.BadRequest, match="at most one source row"):
        local.rows(sql)
    assert state(local) == [("a", 1), ("b", 2), ("c", None)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("INSERT INTO d.t (v) VALUES (1)", "Required field k cannot be null"),
        ("INSERT INTO d.t (k, n) VALUES ('x', 12345)", "12345"),
        ("INSERT INTO d.t (k, nope) VALUES ('x', 1)", "Column nope is not present"),
        ("INSERT INTO d.t (k, v) VALUES ('x')", "wrong column count"),
        ("UPDATE d.t SET nope = 1 WHERE TRUE", "Unrecognized name: nope"),
        ("UPDATE d.t SET k = NULL WHERE v = 1", "Required field k cannot be null"),
    ],
)
def test_a_change_that_breaks_the_schema_changes_nothing(local: Local, sql: str, message: str) -> None:
    with pytest.raises(exceptions.BadRequest, match=message):
        local.rows(sql)
    assert state(local) == [("a", 1), ("b", 2), ("c", None)]


def test_a_bignumeric_beyond_the_local_limits_is_refused_not_rounded(local: Local) -> None:
    local.rows("CREATE OR REPLACE TABLE d.big (x BIGNUMERIC)")
    for value in ("1.0000000000000000001", "123456789012345678901"):
        with pytest.raises(exceptions.BadRequest):
            local.rows(f"INSERT INTO d.big VALUES ('{value}')")
    with pytest.raises(exceptions.MethodNotImplemented):
        local.rows("CREATE OR REPLACE TABLE d.big (x BIGNUMERIC(40, 2))")


def test_a_table_is_seen_as_it_was_at_every_moment(local: Local) -> None:
    moments = [(now(local), state(local))]
    for sql in (
        "UPDATE d.t SET v = 20 WHERE k = 'b'",
        "DELETE FROM d.t WHERE k = 'a'",
        "INSERT INTO d.t (k, v) VALUES ('a', 7)",
        "MERGE d.t t USING (SELECT 'c' AS k) s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = 3",
        "TRUNCATE TABLE d.t",
        "INSERT INTO d.t (k, v) VALUES ('q', 1)",
        "CREATE OR REPLACE TABLE d.t AS SELECT 'r' AS k, 2 AS v",
    ):
        local.rows(sql)
        moments.append((now(local), state(local)))
    assert len({str(rows) for _, rows in moments}) == len(moments)
    for at, rows in moments:
        assert state(local, at) == rows
    parameter = bigquery.ScalarQueryParameter("at", "TIMESTAMP", moments[1][0])
    assert local.rows("SELECT k, v FROM d.t FOR SYSTEM_TIME AS OF @at ORDER BY k", parameter) == moments[1][1]
    constant = "TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 0 DAY)"
    assert local.rows(f"SELECT COUNT(*) FROM d.t AS x FOR SYSTEM_TIME AS OF {constant}") == [(1,)]


def test_past_and_present_can_be_compared_in_one_query(local: Local) -> None:
    before = now(local)
    local.rows("UPDATE d.t SET v = 5 WHERE k = 'a'")
    sql = f"""SELECT o.v AS before, n.v AS after FROM d.t o FOR SYSTEM_TIME AS OF TIMESTAMP '{before.isoformat()}'
        JOIN d.t n ON o.k = n.k WHERE o.v != n.v"""
    assert local.rows(sql) == [(1, 5)]


def test_a_snapshot_never_changes_while_others_write(local: Local) -> None:
    """Snapshots are taken between commits and read again when all is over."""
    errors: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(8):
                local.rows(f"INSERT INTO d.t (k, v) VALUES ('{name}', {number}), ('{name}', {number})")
                local.rows(f"DELETE FROM d.t WHERE k = '{name}' AND v = {number - 1}")
        except BaseException as error:
            errors.append(error)
            raise

    writers = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(3)]
    for writer in writers:
        writer.start()
    seen = []
    while any(writer.is_alive() for writer in writers):
        at = now(local)
        seen.append(
            (at, local.rows(f"SELECT COUNT(*), SUM(v) FROM d.t FOR SYSTEM_TIME AS OF TIMESTAMP '{at.isoformat()}'"))
        )
    for writer in writers:
        writer.join()
    assert not errors
    for at, rows in seen:
        assert rows[0][0] % 2 == 1, "an insert or delete of two rows was seen by half"
        assert (
            local.rows(f"SELECT COUNT(*), SUM(v) FROM d.t FOR SYSTEM_TIME AS OF TIMESTAMP '{at.isoformat()}'") == rows
        )


@pytest.mark.parametrize("offset", [dt.timedelta(hours=1), dt.timedelta(days=-8), dt.timedelta(minutes=-10)])
def test_a_time_in_the_future_or_before_the_table_is_refused(local: Local, offset: dt.timedelta) -> None:
    with pytest.raises(exceptions.BadRequest, match="Invalid time travel timestamp"):
        state(local, now(local) + offset)


def test_create_table_follows_its_clauses(local: Local) -> None:
    local.rows("DROP TABLE IF EXISTS d.made")
    partitioning = "PARTITION BY RANGE_BUCKET(x, GENERATE_ARRAY(0, 10, 1))"
    local.rows(f"CREATE TABLE d.made (x INT64 OPTIONS (description = 'ten'), y STRING(3)) {partitioning}")
    with pytest.raises(exceptions.Conflict):
        local.rows("CREATE TABLE d.made (x INT64)")
    local.rows("CREATE TABLE IF NOT EXISTS d.made (z INT64)")
    table = local.bigquery.get_table("d.made")
    assert [(field.name, field.description, field.max_length) for field in table.schema] == [
        ("x", "ten", None),
        ("y", None, 3),
    ]
    with pytest.raises(exceptions.BadRequest, match="longer than STRING"):
        local.rows("INSERT INTO d.made VALUES (1, 'abcd')")
    local.rows("ALTER TABLE d.made ADD COLUMN IF NOT EXISTS x INT64, ADD COLUMN z ARRAY<DATE>")
    local.rows("INSERT INTO d.made VALUES (1, 'abc', [DATE '2026-01-01'])")
    assert local.rows("SELECT * FROM d.made") == [(1, "abc", [dt.date(2026, 1, 1)])]


def test_create_as_select_can_read_the_table_that_it_replaces(local: Local) -> None:
    local.rows(
        """CREATE OR REPLACE TABLE d.t PARTITION BY day CLUSTER BY k AS
        SELECT *, DATE '2026-01-01' AS day FROM d.t WHERE v = 1"""
    )
    assert local.rows("SELECT k, v, day FROM d.t") == [("a", 1, dt.date(2026, 1, 1))]
    assert local.bigquery.get_table("d.t").clustering_fields == ["k"]


def test_a_table_past_its_expiration_is_gone(local: Local) -> None:
    local.rows(
        "CREATE OR REPLACE TABLE d.short OPTIONS (expiration_timestamp = TIMESTAMP '2026-01-01') AS SELECT 1 AS x"
    )
    with pytest.raises(exceptions.NotFound):
        local.rows("SELECT * FROM d.short")


def test_views_and_schemas_are_made_and_dropped_in_sql(local: Local) -> None:
    local.rows("CREATE SCHEMA IF NOT EXISTS other OPTIONS (location = 'EU')")
    local.rows("CREATE OR REPLACE VIEW other.v AS SELECT k FROM d.t")
    assert local.rows("SELECT COUNT(*) FROM other.v") == [(3,)]
    local.rows("DROP VIEW other.v")
    local.rows("DROP SCHEMA other")
    with pytest.raises(exceptions.NotFound):
        local.bigquery.get_dataset("other")


def test_a_script_gives_its_last_result_and_keeps_its_variables(local: Local) -> None:
    sql = """DECLARE least INT64 DEFAULT (SELECT MAX(v) FROM d.t); SET least = least - 1;
        DELETE FROM d.t WHERE v > least; SELECT COUNT(*) AS n, least AS bound FROM d.t"""
    assert local.rows(sql) == [(2, 1)]
