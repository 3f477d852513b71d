"""Queries and jobs of the local BigQuery, through the real client."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery.table import RowIterator

from localcloud.bigquery.client import PROJECT, Local, running

UTC = dt.UTC


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with running() as server:
        server.bigquery.create_dataset("d")
        server.rows(
            """CREATE TABLE d.people (id INT64 NOT NULL, name STRING, amount NUMERIC, big BIGNUMERIC, moment TIMESTAMP,
            day DATE, civil DATETIME, clock TIME, yes BOOL, ratio FLOAT64, raw BYTES, doc JSON, tags ARRAY<STRING>)
            PARTITION BY DATE(moment) CLUSTER BY name OPTIONS(description = 'everyone', labels = [('env', 'test')])"""
        )
        server.rows(
            """INSERT INTO d.people VALUES
            (1, 'Ann "é" 𝄞', NUMERIC '12345678901234567890123456789.123456789', BIGNUMERIC '1.000000000000000001',
             TIMESTAMP '2026-01-01 00:00:00.123456+00:00', DATE '2026-01-01', DATETIME '2026-01-01T01:02:03.5',
             TIME '23:59:59.999999', TRUE, 0.1, FROM_BASE64('AAH/'), JSON '{"a": [1, null]}', ['x', '']),
            (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, []),
            (3, '', 0, 0, TIMESTAMP '1969-12-31 23:59:59+00:00', DATE '0001-01-01', DATETIME '9999-12-31T23:59:59',
             TIME '00:00:00', FALSE, 1e300, b'', JSON 'null', ['z'])"""
        )
        yield server


PEOPLE = [
    (
        1,
        'Ann "é" 𝄞',
        Decimal("12345678901234567890123456789.123456789"),
        Decimal("1.000000000000000001"),
        dt.datetime(2026, 1, 1, 0, 0, 0, 123456, UTC),
        dt.date(2026, 1, 1),
        dt.datetime(2026, 1, 1, 1, 2, 3, 500000),
        dt.time(23, 59, 59, 999999),
        True,
        0.1,
        b"\x00\x01\xff",
        {"a": [1, None]},
        ["x", ""],
    ),
    (2, *[None] * 11, []),
    (
        3,
        "",
        Decimal(0),
        Decimal(0),
        dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
        dt.date(1, 1, 1),
        dt.datetime(9999, 12, 31, 23, 59, 59),
        dt.time(0),
        False,
        1e300,
        b"",
        None,
        ["z"],
    ),
]


def test_every_type_comes_back_as_it_went_in(local: Local) -> None:
    assert local.rows("SELECT * FROM d.people ORDER BY id") == PEOPLE


def test_a_result_names_its_types_as_bigquery_does(local: Local) -> None:
    result = local.bigquery.query("SELECT * FROM d.people").result()
    assert [(field.field_type, field.mode) for field in result.schema][:6] == [
        ("INTEGER", "NULLABLE"),
        ("STRING", "NULLABLE"),
        ("NUMERIC", "NULLABLE"),
        ("BIGNUMERIC", "NULLABLE"),
        ("TIMESTAMP", "NULLABLE"),
        ("DATE", "NULLABLE"),
    ]
    assert (result.schema[-1].field_type, result.schema[-1].mode) == ("STRING", "REPEATED")


def test_a_table_tells_its_schema_partitioning_clustering_labels_and_rows(local: Local) -> None:
    table = local.bigquery.get_table("d.people")
    assert (table.schema[0].name, table.schema[0].mode) == ("id", "REQUIRED")
    assert (table.time_partitioning.type_, table.time_partitioning.field) == ("DAY", "moment")
    assert (table.clustering_fields, table.labels, table.description) == (["name"], {"env": "test"}, "everyone")
    assert table.num_rows == 3
    assert table.num_bytes > 3 * 8


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 7 / 2, DIV(7, 2), MOD(7, 2), 1.5, NUMERIC '1.5' * NUMERIC '1.5'", (3.5, 3, 1, 1.5, Decimal("2.25"))),
        ("SELECT SUM(x), COUNT(*), COUNTIF(x > 1) FROM UNNEST([1, 2, 3]) x", (6, 3, 2)),
        ("SELECT CAST(NUMERIC '7.10' AS STRING), CAST(1.0 AS STRING), CAST(1e20 AS STRING)", ("7.1", "1", "1e+20")),
        ("SELECT CAST('12.5' AS NUMERIC), SAFE_CAST('x' AS NUMERIC)", (Decimal("12.5"), None)),
        (
            "SELECT FORMAT_TIMESTAMP('%FT%H:%M:%E6SZ', TIMESTAMP '2026-01-02 03:04:05.000006+00')",
            ("2026-01-02T03:04:05.000006Z",),
        ),
        ("SELECT TIMESTAMP_TRUNC(TIMESTAMP '2026-01-02 03:04:05+00', HOUR)", (dt.datetime(2026, 1, 2, 3, tzinfo=UTC),)),
        ("SELECT TIMESTAMP_DIFF(TIMESTAMP '2026-01-01 01:00:00+00', TIMESTAMP '2026-01-01 00:00:01+00', HOUR)", (0,)),
        ("SELECT TIMESTAMP_MICROS(1)", (dt.datetime(1970, 1, 1, 0, 0, 0, 1, UTC),)),
        ("SELECT PARSE_TIMESTAMP('%F', '2026-01-01')", (dt.datetime(2026, 1, 1, tzinfo=UTC),)),
        ("SELECT BYTE_LENGTH('é𝄞'), LENGTH('é𝄞'), BYTE_LENGTH(b'\\xff')", (6, 2, 1)),
        (
            "SELECT FARM_FINGERPRINT('a') = FARM_FINGERPRINT('a'), FARM_FINGERPRINT('a') = FARM_FINGERPRINT('b')",
            (True, False),
        ),
        ("SELECT TO_HEX(MD5('a'))", ("0cc175b9c0f1b6a831c399e269772661",)),
        ("SELECT TO_HEX(SHA256('a'))", ("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",)),
        ("SELECT CAST(CONCAT('0x', SUBSTR(TO_HEX(MD5('a')), 1, 15)) AS INT64)", (0x0CC175B9C0F1B6A,)),
        ("SELECT JSON_VALUE(JSON '{\"a\": \"b\"}', '$.a'), SAFE_DIVIDE(1, 0)", ("b", None)),
        (
            "WITH a AS (SELECT 1 x UNION ALL SELECT 2) SELECT x FROM a QUALIFY ROW_NUMBER() OVER (ORDER BY x DESC) = 1",
            (2,),
        ),
        ("SELECT ARRAY_LENGTH(GENERATE_DATE_ARRAY('2026-01-01', '2026-01-03'))", (3,)),
        ("SELECT IF(TRUE, 'a', 'b'), IFNULL(NULL, 2), COALESCE(NULL, 'c')", ("a", 2, "c")),
    ],
)
def test_a_function_answers_as_bigquery_does(local: Local, sql: str, expected: tuple[Any, ...]) -> None:
    assert local.rows(sql) == [expected]


def test_to_json_string_is_bigquerys_text(local: Local) -> None:
    sql = "SELECT TO_JSON_STRING(STRUCT(id, name, amount, moment AS t, day, civil, yes, raw)) FROM d.people ORDER BY id"
    first, second, third = (row[0] for row in local.rows(sql))
    assert first == (
        '{"id":1,"name":"Ann \\"é\\" 𝄞","amount":"12345678901234567890123456789.123456789",'
        '"t":"2026-01-01T00:00:00.123456Z","day":"2026-01-01","civil":"2026-01-01T01:02:03.500","yes":true,"raw":"AAH/"}'
    )
    assert second == '{"id":2,"name":null,"amount":null,"t":null,"day":null,"civil":null,"yes":null,"raw":null}'
    assert '"name":"","amount":0,' in third


@pytest.mark.parametrize("form", ["FARM_FINGERPRINT({})", "TO_HEX(MD5({}))"])
def test_the_hash_of_a_row_changes_with_any_value_and_tells_null_from_empty(local: Local, form: str) -> None:
    columns = ["id", "name", "amount", "big", "moment", "day", "civil", "clock", "yes", "ratio", "raw", "doc"]
    base = local.rows("SELECT * FROM d.people WHERE id = 1")[0]
    assert len(base) == 13
    digest = form.format(f"TO_JSON_STRING(STRUCT({', '.join(columns)}))")
    plain = local.rows(f"SELECT {digest} FROM d.people WHERE id = 1")[0][0]
    assert plain == local.rows(f"SELECT {digest} FROM d.people WHERE id = 1")[0][0]
    changed = {
        column: local.rows(f"SELECT {digest} FROM (SELECT * REPLACE (NULL AS {column}) FROM d.people WHERE id = 1)")[0][
            0
        ]
        for column in columns
    }
    assert plain not in changed.values()
    assert len(set(changed.values())) == len(columns)
    texts = "UNNEST(['', 'null', CAST(NULL AS STRING)]) x"
    assert len(set(local.rows(f"SELECT {form.format('TO_JSON_STRING(STRUCT(x))')} FROM {texts}"))) == 3
    both = [form.format(f"TO_JSON_STRING(STRUCT({values}))") for values in ("'a' AS x, 'b' AS y", "'b' AS x, 'a' AS y")]
    assert len(set(local.rows(f"SELECT {', '.join(both)}")[0])) == 2


def test_the_sum_of_row_hashes_does_not_depend_on_order_or_grouping(local: Local) -> None:
    number = "FARM_FINGERPRINT(TO_JSON_STRING(STRUCT(id, name)))"
    whole = local.rows(
        f"SELECT COUNT(DISTINCT TO_JSON_STRING(STRUCT(id, name))), SUM(CAST({number} AS NUMERIC)) FROM d.people"
    )
    parts = local.rows(f"SELECT COUNT(*), SUM(CAST({number} AS NUMERIC)) FROM d.people GROUP BY MOD({number}, 4)")
    assert whole == [(3, sum(total for _, total in parts))]


def test_parameters_of_every_kind_reach_the_query(local: Local) -> None:
    when = dt.datetime(2026, 1, 1, 0, 0, 0, 123456, UTC)
    rows = local.rows(
        """SELECT id FROM d.people
        WHERE moment = @at AND id = @id AND name IN UNNEST(@names) AND day = @day AND amount > @amount""",
        bigquery.ScalarQueryParameter("at", "TIMESTAMP", when),
        bigquery.ScalarQueryParameter("id", "INT64", 1),
        bigquery.ArrayQueryParameter("names", "STRING", ['Ann "é" 𝄞', "o'x"]),
        bigquery.ScalarQueryParameter("day", "DATE", dt.date(2026, 1, 1)),
        bigquery.ScalarQueryParameter("amount", "NUMERIC", Decimal("1.5")),
    )
    assert rows == [(1,)]
    text, nothing = (bigquery.ScalarQueryParameter(None, *one) for one in (("STRING", "a'b"), ("BOOL", None)))
    assert local.rows("SELECT ?, ?", text, nothing) == [("a'b", None)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "Syntax error"),
        ("SELECT nope FROM d.people", "Unrecognized name: nope"),
        ("SELECT @nope", "Query parameter 'nope' not found"),
        ("SELECT * FROM people", "must be qualified with a dataset"),
        ("SELECT 1 AS a, 2 AS a", "Duplicate column names"),
        ("SELECT 1 / 0", "division by zero"),
        ("SELECT SUM(n) FROM UNNEST([9223372036854775807, 1]) AS n", "int64 overflow"),
        ("SELECT -(-9223372036854775808)", "int64 overflow"),
        ("SELECT CAST('x' AS INT64)", "Could not convert"),
    ],
)
def test_a_wrong_query_is_refused_with_its_reason(local: Local, sql: str, message: str) -> None:
    with pytest.raises(exceptions.BadRequest, match=message) as caught:
        local.rows(sql)
    assert caught.value.errors[0]["reason"] == "invalidQuery"


@pytest.mark.parametrize(
    "sql", ["EXPORT DATA OPTIONS(uri='gs://x/*') AS SELECT 1", "CALL d.f()", "SELECT ST_AREA(ST_GEOGPOINT(1, 2))"]
)
def test_what_is_not_served_is_refused_with_501(local: Local, sql: str) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match="does not serve"):
        local.rows(sql)


def test_an_unknown_request_is_refused_with_501_in_bigquerys_shape(local: Local) -> None:
    response = requests.get(f"{local.rest}/bigquery/v2/projects/{PROJECT}/datasets/d/models", timeout=10)
    assert response.status_code == 501
    assert response.json()["error"]["errors"][0]["reason"] == "notImplemented"


def test_a_missing_table_or_dataset_answers_404(local: Local) -> None:
    for sql in ("SELECT 1 FROM d.nope", "SELECT 1 FROM nope.t"):
        with pytest.raises(exceptions.NotFound):
            local.rows(sql)
    with pytest.raises(exceptions.NotFound):
        local.bigquery.get_table("d.nope")
    with pytest.raises(exceptions.NotFound):
        local.bigquery.get_job("nope", location="US")


def test_a_job_id_used_twice_answers_409_and_the_first_job_stands(local: Local) -> None:
    job_id = f"plan-{uuid.uuid4().hex}"
    first = local.bigquery.query("SELECT 1 AS x", job_id=job_id, job_retry=None)
    first.result()
    with pytest.raises(exceptions.Conflict):
        local.bigquery.query("SELECT 2 AS x", job_id=job_id, job_retry=None)
    found = local.bigquery.get_job(job_id, location="US")
    assert isinstance(found, bigquery.QueryJob)
    assert [tuple(row) for row in found.result()] == [(1,)]


def test_a_failed_job_keeps_its_error(local: Local) -> None:
    job = local.bigquery.query("SELECT 1 / 0", job_id=f"bad-{uuid.uuid4().hex}", job_retry=None)
    with pytest.raises(exceptions.BadRequest):
        job.result()
    found = local.bigquery.get_job(job.job_id, location="US")
    assert found.error_result["reason"] == "invalidQuery"
    assert found.state == "DONE"


def test_a_job_keeps_its_labels_and_is_listed_newest_first(local: Local) -> None:
    config = bigquery.QueryJobConfig(labels={"delivery": "payments"})
    job = local.bigquery.query("SELECT 1", job_config=config)
    job.result()
    assert local.bigquery.get_job(job.job_id, location="US").labels == {"delivery": "payments"}
    assert next(iter(local.bigquery.list_jobs(max_results=1))).job_id == job.job_id


def test_bytes_are_those_of_the_columns_read(local: Local) -> None:
    ids = local.bigquery.query("SELECT id FROM d.people")
    ids.result()
    assert (ids.total_bytes_processed, ids.total_bytes_billed) == (3 * 8, 10 * 2**20)
    both = local.bigquery.query("SELECT COUNT(*), SUM(amount) FROM d.people WHERE id > 0")
    both.result()
    assert both.total_bytes_processed == 3 * 8 + 2 * 16  # null counts nothing
    counted = local.bigquery.query("SELECT COUNT(*) FROM d.people")
    counted.result()
    assert counted.total_bytes_processed == 0


def test_a_query_over_its_bytes_limit_does_not_run(local: Local) -> None:
    with pytest.raises(exceptions.GoogleAPICallError, match="exceeded limit for bytes billed: 1000") as caught:
        local.rows("SELECT * FROM d.people", maximum_bytes_billed=1000)
    assert caught.value.errors[0]["reason"] == "bytesBilledLimitExceeded"
    assert local.rows("SELECT COUNT(id) FROM d.people", maximum_bytes_billed=10 * 2**20) == [(3,)]


def test_a_dry_run_tells_bytes_and_schema_and_leaves_no_job(local: Local) -> None:
    config = bigquery.QueryJobConfig(dry_run=True)
    job = local.bigquery.query("SELECT id, amount FROM d.people", job_config=config)
    assert job.total_bytes_processed == 3 * 8 + 2 * 16
    assert job.schema is not None
    assert [field.name for field in job.schema] == ["id", "amount"]
    with pytest.raises(exceptions.NotFound):
        local.bigquery.get_job(job.job_id, location="US")
    with pytest.raises(exceptions.BadRequest):
        local.bigquery.query("SELECT nope FROM d.people", job_config=config)


def test_pages_hold_all_rows_once(local: Local) -> None:
    result = local.bigquery.query("SELECT x FROM UNNEST(GENERATE_ARRAY(1, 10)) x ORDER BY x").result(page_size=3)
    assert isinstance(result, RowIterator)
    assert [[row.x for row in page] for page in result.pages] == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10]]
    assert result.total_rows == 10


def test_a_query_result_can_be_read_as_a_table(local: Local) -> None:
    job = local.bigquery.query("SELECT id, name FROM d.people WHERE id < 3")
    job.result()
    assert local.bigquery.get_table(job.destination).num_rows == 2
    listed = local.bigquery.list_rows(job.destination, selected_fields=[bigquery.SchemaField("id", "INT64")])
    assert [tuple(row) for row in listed] == [(1,), (2,)]
    assert local.rows(f"SELECT COUNT(*) FROM `{job.destination}`") == [(2,)]


def test_a_result_stays_what_it_was_when_the_table_changes_or_goes(local: Local) -> None:
    local.rows("CREATE TABLE d.passing AS SELECT 1 AS x")
    job = local.bigquery.query("SELECT x FROM d.passing")
    job.result()
    local.rows("INSERT INTO d.passing VALUES (2)")
    local.rows("DROP TABLE d.passing")
    local.rows("CREATE TABLE d.other AS SELECT 1 AS x")
    assert [row.x for row in local.bigquery.list_rows(job.destination)] == [1]


def test_a_destination_table_gets_the_rows(local: Local) -> None:
    local.rows("SELECT id FROM d.people", destination=f"{PROJECT}.d.copied")
    with pytest.raises(exceptions.Conflict):
        local.rows("SELECT id FROM d.people", destination=f"{PROJECT}.d.copied")
    local.rows(
        "SELECT id FROM d.people WHERE id = 1", destination=f"{PROJECT}.d.copied", write_disposition="WRITE_APPEND"
    )
    assert local.rows("SELECT COUNT(*) FROM d.copied") == [(4,)]
    local.rows("SELECT 'a' AS letter", destination=f"{PROJECT}.d.copied", write_disposition="WRITE_TRUNCATE")
    assert local.rows("SELECT * FROM d.copied") == [("a",)]


def test_information_schema_describes_tables_and_columns(local: Local) -> None:
    assert ("people", "BASE TABLE") in local.rows("SELECT table_name, table_type FROM d.INFORMATION_SCHEMA.TABLES")
    columns = local.rows(
        """SELECT column_name, data_type, is_nullable FROM d.INFORMATION_SCHEMA.COLUMNS
        WHERE table_name = 'people' AND column_name IN ('id', 'tags') ORDER BY ordinal_position"""
    )
    assert columns == [("id", "INT64", "NO"), ("tags", "ARRAY<STRING>", "YES")]


def test_information_schema_describes_what_a_catalog_asks_for(local: Local) -> None:
    described = bigquery.Table(f"{PROJECT}.d.described", [bigquery.SchemaField("id", "STRING", description="The key.")])
    described.description, described.labels = 'One "row" each', {"team": "data"}
    local.bigquery.create_table(described)
    table = "WHERE table_schema = 'd' AND table_name = 'described'"
    assert local.rows(
        f"SELECT option_name, option_type, option_value FROM d.INFORMATION_SCHEMA.TABLE_OPTIONS {table}"
    ) == [
        ("description", "STRING", '"One \\"row\\" each"'),
        ("labels", "ARRAY<STRUCT<STRING, STRING>>", '[STRUCT("team", "data")]'),
    ]
    paths = f"SELECT field_path, data_type, description FROM d.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS {table}"
    assert local.rows(paths) == [("id", "STRING", "The key.")]
    assert local.rows("SELECT COUNT(*) FROM d.INFORMATION_SCHEMA.MATERIALIZED_VIEWS") == [(0,)]
    with pytest.raises(exceptions.NotFound):
        local.rows("SELECT COUNT(*) FROM missing.INFORMATION_SCHEMA.MATERIALIZED_VIEWS")


def test_a_view_is_its_query(local: Local) -> None:
    view = bigquery.Table(f"{PROJECT}.d.named")
    view.view_query = f"SELECT id FROM `{PROJECT}.d.people` WHERE name IS NOT NULL"
    local.bigquery.create_table(view)
    assert local.rows("SELECT COUNT(*) FROM d.named") == [(2,)]
    with pytest.raises(exceptions.BadRequest, match="not supported on the view"):
        local.rows("SELECT * FROM d.named FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()")


def test_datasets_are_created_once_changed_listed_and_deleted(local: Local) -> None:
    made = local.bigquery.create_dataset("passing")
    with pytest.raises(exceptions.Conflict):
        local.bigquery.create_dataset("passing")
    made.description = "short"
    assert local.bigquery.update_dataset(made, ["description"]).description == "short"
    assert "passing" in [one.dataset_id for one in local.bigquery.list_datasets()]
    local.rows("CREATE TABLE passing.t (x INT64)")
    assert [one.table_id for one in local.bigquery.list_tables("passing")] == ["t"]
    with pytest.raises(exceptions.BadRequest, match="still in use"):
        local.bigquery.delete_dataset("passing")
    local.bigquery.delete_dataset("passing", delete_contents=True)
    with pytest.raises(exceptions.NotFound):
        local.bigquery.get_dataset("passing")
