"""The gate: what Google's engine refuses does not run here, nor what BigQuery refuses beyond the engine."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from google.api_core import exceptions
from google.cloud import bigquery

from localcloud.bigquery.catalog import TableRef
from localcloud.bigquery.client import Local, running
from localcloud.bigquery.fields import Field
from localcloud.bigquery.googlesql import engine, gate

REFUSED: dict[str, dict[str, str]] = {
    "words that are reserved": {
        "SELECT id AS rows FROM d.people": "Syntax error: Unexpected keyword ROWS at [1:14]",
        "SELECT 1 AS hash": "Unexpected keyword HASH",
        "SELECT 1 AS new": "Unexpected keyword NEW",
        "CREATE TABLE d.t (at TIMESTAMP)": "Unexpected keyword AT",
    },
    "other dialects' syntax": {
        "SELECT id::STRING FROM d.people": 'Expected end of input but got ":"',
        "SELECT id % 2 FROM d.people": 'Expected end of input but got "%"',
        "SELECT id // 2 FROM d.people": 'Unexpected "/"',
        "SELECT id FROM d.people WHERE name ILIKE 'x'": 'got identifier "ILIKE"',
        "SELECT doc->>'a' FROM d.people": 'Expected end of input but got "->"',
        "SELECT DISTINCT ON (id) id FROM d.people": "Unexpected keyword ON",
        "SELECT STDDEV(id) FILTER (WHERE yes) FROM d.people": 'Expected end of input but got "("',
        "SELECT {'a': 1}": "Unexpected string literal 'a'",
        "FROM d.people SELECT id": "SELECT not supported after FROM query",
        "VALUES (1)": "Unexpected keyword VALUES",
        'SELECT id FROM "d"."people"': "Unexpected string literal",
        "SELECT id FROM d.people LIMIT ALL": "LIMIT ALL is not supported",
        "SELECT * FROM d.people LIMIT 1 + 1": "LIMIT expects an integer literal or parameter",
        "SELECT id FROM d.people UNION SELECT id FROM d.people": "Expected keyword ALL or keyword DISTINCT",
        "SELECT 'abc\\d'": "Illegal escape sequence",
    },
    "functions that it has not": {
        "SELECT now()": "Function not found: now",
        "SELECT strlen(name) FROM d.people": "Function not found: strlen",
        "SELECT TRY_CAST(id AS STRING) FROM d.people": "Function not found: TRY_CAST",
        "SELECT STRFTIME(civil, '%Y') FROM d.people": "Function not found: STRFTIME",
        "SELECT MEDIAN(id) FROM d.people": "Function not found: MEDIAN",
        "SELECT date_trunc('hour', moment) FROM d.people": "A valid date part name is required",
    },
    "names": {
        "SELECT id AS a, a + 1 AS b FROM d.people": "Unrecognized name: a",
        "SELECT nope FROM d.people": "Unrecognized name: nope; Did you mean name? at [1:8]",
        "SELECT id, COUNT(*) FROM d.people": "neither grouped nor aggregated",
        "SELECT * EXCEPT (nope) FROM d.people": "Column nope in SELECT * EXCEPT list does not exist",
        "SELECT * FROM d.people, d.people": "Duplicate table alias people",
        "SELECT id, id FROM d.people": "Duplicate column names in the result are not supported",
        "CREATE TABLE d.t (x INT64, X INT64)": "Duplicate column name X",
        "CREATE TABLE d.t AS SELECT id + 1 FROM d.people": "columns must be named, but column 1 has no name",
        "SELECT @nope": "Query parameter 'nope' not found",
    },
    "types that do not go together": {
        "SELECT * FROM d.people WHERE yes = 1": "No matching signature for operator =",
        "SELECT id FROM d.people WHERE name = 1": "No matching signature for operator =",
        "SELECT amount = '1' FROM d.people": "No matching signature for operator =",
        "SELECT civil = moment FROM d.people": "No matching signature for operator =",
        "SELECT COALESCE(id, name) FROM d.people": "No matching signature for function COALESCE",
        "SELECT CASE WHEN yes THEN 1 ELSE 'x' END FROM d.people": "No matching signature for operator CASE",
        "SELECT id FROM d.people UNION ALL SELECT name FROM d.people": "incompatible types: INT64, STRING",
        "SELECT SUM(yes) FROM d.people": "No matching signature for aggregate function SUM",
        "SELECT FARM_FINGERPRINT(id) FROM d.people": "No matching signature for function FARM_FINGERPRINT",
        "SELECT id = NULL FROM d.people": "Operands of = cannot be literal NULL",
        "SELECT CAST(day AS INT64) FROM d.people": "Invalid cast from DATE to INT64",
        "SELECT TIMESTAMP_ADD(moment, INTERVAL 1 MONTH) FROM d.people": "does not support the MONTH date part",
        "SELECT DATE '2026-02-30'": "Invalid DATE literal",
    },
    "JSON and floats that cannot be compared": {
        "SELECT doc FROM d.people GROUP BY doc": "Grouping by expressions of type JSON is not allowed",
        "SELECT DISTINCT doc FROM d.people": "Column doc of type JSON cannot be used in SELECT DISTINCT",
        "SELECT id FROM d.people ORDER BY doc": "ORDER BY does not support expressions of type JSON",
        "SELECT a.id FROM d.people a JOIN d.people b ON a.doc = b.doc": "Equality is not defined",
        "SELECT doc IS DISTINCT FROM doc FROM d.people": "not defined for arguments of type JSON",
        "SELECT ratio FROM d.people GROUP BY ratio": "Grouping by expressions of type FLOAT64 is not allowed",
        "SELECT COUNT(DISTINCT doc) FROM d.people": "JSON",
    },
    "changes": {
        "INSERT INTO d.people (amount) SELECT ratio FROM d.people": "FLOAT64 which cannot be inserted",
        "INSERT INTO d.people (amount) VALUES ('1.5')": "STRING which cannot be inserted into column amount",
        "INSERT INTO d.people (nope) VALUES (1)": "Column nope is not present in table",
        "UPDATE d.people SET id = ratio WHERE TRUE": "FLOAT64 cannot be assigned to id",
        "UPDATE d.people SET id = 1": "UPDATE must have a WHERE clause",
        "DELETE FROM d.people": "DELETE must have a WHERE clause",
        "UPDATE d.people SET name = 'x', name = 'y' WHERE TRUE": "assigned more than once",
        "MERGE d.people t USING d.people s ON t.id = s.id WHEN MATCHED THEN UPDATE SET amount = s.ratio": (
            "FLOAT64 cannot be assigned to amount"
        ),
        "MERGE d.people t USING d.people s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (t.id)": (
            "Unrecognized name: t"
        ),
    },
    "tables": {
        "CREATE TABLE d.t (x NUMERIC(39, 2))": "In NUMERIC(P, 2), P must be between 2 and 31",
        "CREATE TABLE d.t (x NUMERIC(38, 10))": "In NUMERIC(P, S), S must be between 0 and 9",
        "CREATE TABLE d.t (x STRING(0))": "STRING length must be greater than 0",
        "CREATE TABLE d.t (x INT64(3))": "INT64 does not support type parameters",
        "CREATE TABLE d.t (x VARCHAR)": "Type not found: VARCHAR",
        "CREATE TABLE d.t (x ARRAY<ARRAY<INT64>>)": "Arrays of arrays are not supported",
        "CREATE TABLE d.t (x INT64 DEFAULT 'x')": "cannot be assigned to column type INT64",
        "CREATE TABLE d.t (x FLOAT64) CLUSTER BY x": "CLUSTER BY expression may not be a floating point type",
        "CREATE VIEW d.v AS SELECT nope FROM d.people": "Unrecognized name: nope",
        "ALTER TABLE d.people ADD COLUMN id STRING": "Column already exists: id",
    },
    "what BigQuery refuses beyond the engine": {
        "SELECT * FROM (WITH RECURSIVE b AS (SELECT 1 AS n UNION ALL SELECT 2 FROM b WHERE n < 2) SELECT n FROM b)": (
            "WITH RECURSIVE is only allowed at the top level"
        ),
        "SELECT id FROM d.people FOR SYSTEM_TIME AS OF (SELECT MAX(moment) FROM d.people)": "must be constant",
        "CREATE TABLE d.t (x STRING) PARTITION BY x": "PARTITION BY expression must be DATE(<timestamp_column>)",
        "CREATE TABLE d.t (x TIMESTAMP) PARTITION BY x": "PARTITION BY expression must be",
        "CREATE TABLE d.t PARTITION BY moment AS SELECT moment FROM d.people": "PARTITION BY expression must be",
        "CREATE TABLE d.t (x TIMESTAMP) PARTITION BY TIMESTAMP_TRUNC(x, MINUTE)": "PARTITION BY expression must be",
        "CREATE TABLE d.t (x STRING) PARTITION BY RANGE_BUCKET(x, GENERATE_ARRAY(0, 9, 1))": "RANGE_BUCKET",
        "CREATE TABLE d.t (a INT64, b INT64, c INT64, e INT64, f INT64) CLUSTER BY a, b, c, e, f": "At most 4",
        "CREATE TABLE d.t (_PARTITION_x INT64)": "reserved prefix",
    },
}
ACCEPTED = [
    "SELECT `rows`, `at` FROM (SELECT 1 AS `rows`, 2 AS `at`)",
    "SELECT [1, 2][0], SPLIT('a,b')[SAFE_OFFSET(1)], id, FROM d.people",
    "SELECT MAX_BY(id, clock) AS id FROM d.people",
    "WITH RECURSIVE b AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM b WHERE n < 3) SELECT n FROM b",
    "CREATE TABLE d.made AS WITH RECURSIVE b AS (SELECT 1 AS n UNION ALL SELECT 2 FROM b WHERE n < 2) SELECT n FROM b",
    "SELECT id FROM d.people FOR SYSTEM_TIME AS OF TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 MICROSECOND)",
    "SELECT table_name FROM d.INFORMATION_SCHEMA.TABLES",
    "SELECT table_name FROM `proj-1.d.INFORMATION_SCHEMA.COLUMNS` WHERE ordinal_position = 1",
    "SELECT a.id FROM `proj-1.d.people` a JOIN `proj-1`.d.people b USING (id) JOIN `d.people` c USING (id)",
    "CREATE TABLE d.ranged (x INT64) PARTITION BY RANGE_BUCKET(x, GENERATE_ARRAY(0, 100, 10)) CLUSTER BY x",
    "CREATE SCHEMA IF NOT EXISTS d",
    # How dbt's change log compares rows that have a JSON column.
    r"""SELECT to_hex(md5(regexp_replace(to_json_string(struct(p.id, to_json_string(p.doc) AS doc)),
        r'"[a-z]+":null', ''))) AS digest FROM d.people AS p""",
    "DECLARE n INT64 DEFAULT 3; SELECT n + id AS x FROM d.people; DROP TABLE IF EXISTS d.nothing;",
]


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with running() as server:
        server.bigquery.create_dataset("d")
        server.rows(
            """CREATE TABLE d.people (id INT64, name STRING, amount NUMERIC, moment TIMESTAMP, day DATE, civil DATETIME,
            clock TIME, yes BOOL, ratio FLOAT64, doc JSON, tags ARRAY<STRING>)"""
        )
        yield server


@pytest.mark.parametrize(("sql", "message"), [pair for group in REFUSED.values() for pair in group.items()])
def test_what_bigquery_refuses_is_refused_with_its_sentence(local: Local, sql: str, message: str) -> None:
    with pytest.raises(exceptions.BadRequest) as caught:
        local.rows(sql)
    assert caught.value.errors[0]["reason"] == "invalidQuery"
    assert message in str(caught.value)
    with pytest.raises(exceptions.BadRequest):
        local.bigquery.query(sql, job_config=bigquery.QueryJobConfig(dry_run=True))


@pytest.mark.parametrize("sql", ACCEPTED)
def test_what_bigquery_accepts_runs(local: Local, sql: str) -> None:
    local.rows(sql)


def test_a_long_expression_runs_though_its_tree_is_deep(local: Local) -> None:
    assert local.rows(f"SELECT {' + '.join(['1'] * 90)} AS x") == [(90,)]


def test_a_view_that_the_engine_refuses_is_not_made(local: Local) -> None:
    view = bigquery.Table("proj-1.d.view")
    view.view_query = "SELECT id::STRING AS id FROM d.people"
    with pytest.raises(exceptions.BadRequest, match="Expected end of input"):
        local.bigquery.create_table(view)


@pytest.mark.parametrize(
    ("field", "partitioning"),
    [
        (bigquery.SchemaField("x", "NUMERIC", precision=39, scale=2), None),
        (bigquery.SchemaField("x", "NUMERIC", precision=38, scale=10), None),
        (bigquery.SchemaField("x", "STRING", max_length=0), None),
        (bigquery.SchemaField("x", "INT64", precision=3), None),
        (bigquery.SchemaField("_TABLE_x", "INT64"), None),
        (bigquery.SchemaField("x", "STRING"), bigquery.TimePartitioning(field="x")),
        (bigquery.SchemaField("x", "DATE"), bigquery.TimePartitioning(type_="HOUR", field="x")),
        (bigquery.SchemaField("x", "DATE"), bigquery.TimePartitioning(field="y")),
    ],
)
def test_tables_made_without_sql_keep_to_the_same_rules(
    local: Local, field: bigquery.SchemaField, partitioning: bigquery.TimePartitioning | None
) -> None:
    table = bigquery.Table(f"proj-1.d.t{uuid.uuid4().hex[:8]}", schema=[field])
    table.time_partitioning = partitioning
    with pytest.raises(exceptions.BadRequest):
        local.bigquery.create_table(table)


def test_a_job_writes_to_four_thousand_partitions_at_most(local: Local) -> None:
    days = "SELECT DATE_ADD(DATE '2000-01-01', INTERVAL n DAY) AS day FROM UNNEST(GENERATE_ARRAY(1, {})) AS n"
    local.rows(f"CREATE TABLE d.most PARTITION BY day AS {days.format(4000)}")
    with pytest.raises(exceptions.BadRequest, match="Too many partitions produced by query, allowed 4000"):
        local.rows(f"CREATE TABLE d.more PARTITION BY day AS {days.format(4001)}")
    with pytest.raises(exceptions.NotFound):
        local.bigquery.get_table("d.more")
    local.rows("CREATE TABLE d.monthly (day DATE) PARTITION BY DATE_TRUNC(day, MONTH)")
    local.rows(f"INSERT INTO d.monthly {days.format(4001)}")


def test_a_parameter_has_the_type_that_it_was_given(local: Local) -> None:
    name = bigquery.ScalarQueryParameter("value", "STRING", "x")
    assert local.rows("SELECT id FROM d.people WHERE name = @value", name) == []
    with pytest.raises(exceptions.BadRequest, match="No matching signature for operator ="):
        local.rows("SELECT id FROM d.people WHERE id = @value", name)
    positional = bigquery.ScalarQueryParameter(None, "INT64", 1)
    assert local.rows("SELECT ? + 1", positional) == [(2,)]
    several = bigquery.ArrayQueryParameter("values", "INT64", [1])
    assert local.rows("SELECT id FROM d.people WHERE id IN UNNEST(@values)", several) == []


def test_every_statement_of_a_script_is_judged(local: Local) -> None:
    with pytest.raises(exceptions.BadRequest, match="Unrecognized name: nope"):
        local.rows("SELECT 1; SELECT nope FROM d.people;")
    with pytest.raises(exceptions.BadRequest, match="No matching signature"):
        local.rows("DECLARE word STRING DEFAULT 'x'; SELECT id = word FROM d.people;")


def test_a_statement_is_asked_again_when_its_table_has_other_columns(local: Local) -> None:
    sql = "SELECT v + 1 AS v FROM d.changing"
    local.rows("CREATE OR REPLACE TABLE d.changing AS SELECT 1 AS v")
    assert local.rows(sql) == [(2,)]
    assert local.rows(sql) == [(2,)]
    local.rows("CREATE OR REPLACE TABLE d.changing AS SELECT 'x' AS v")
    with pytest.raises(exceptions.BadRequest, match="No matching signature"):
        local.rows(sql)


def test_a_statement_is_the_same_where_a_temporary_table_of_dbt_has_another_name() -> None:
    def remembered(temporary: str) -> str:
        tables = {TableRef("p", "d", temporary): (Field("id", "INT64"),)}
        return gate.key(f"SELECT id FROM `p`.`d`.`{temporary}`", tables, (), {})

    assert remembered("people__dbt_tmp191341914236") == remembered("people__dbt_tmp191345615224")
    assert remembered("people__dbt_tmp191341914236") != remembered("persons__dbt_tmp191341914236")


def test_a_missing_table_is_not_found_and_not_a_wrong_query(local: Local) -> None:
    for sql in ("SELECT * FROM d.nope", "INSERT INTO d.nope (x) VALUES (1)", "SELECT * FROM nope.t"):
        with pytest.raises(exceptions.NotFound, match="Not found"):
            local.rows(sql)


def test_the_engine_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.installed()
    before = engine.compiled().stat().st_mtime_ns
    subprocess.run([sys.executable, "-m", "localcloud.bigquery.googlesql"], check=True)
    assert engine.compiled().stat().st_mtime_ns == before


def test_threads_that_start_together_share_one_engine() -> None:
    program = (
        "from concurrent.futures import ThreadPoolExecutor as Pool\n"
        "from localcloud.bigquery.googlesql import engine\n"
        "with Pool(4) as pool:\n"
        "    print(len({id(one) for one in pool.map(lambda _: engine.engine(), range(4))}))\n"
    )
    started = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert started.stdout.strip() == "1"
