"""The calls to BigQuery: every statement of the function, its reads, and what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types as storage_read

from pipeline.clients import queries
from pipeline.window import Window
from tests.sample_contract import sample_contract
from tests.smoke.place import Place
from tests.smoke.steps import STEPS, Step, failed, step

CONTRACT: Final = sample_contract()
HOUR: Final = Window.hour(datetime(2026, 11, 23, 13, tzinfo=UTC))
FIELDS: Final = (
    *(
        bigquery.SchemaField(column.source, column.type, "REQUIRED" if column.name in CONTRACT.key else "NULLABLE")
        for column in CONTRACT.columns
    ),
    bigquery.SchemaField("is_internal", "BOOL"),
)
ROWS: Final = [
    {
        "booking_no": f"B{number}",
        "line": number,
        "free_text": None if number == 0 else f'\u00a0text {number}, "é"\n',
        "amount": f"{number}.000000001",
        "rate": "1.5",
        "booked": "2026-11-23",
        "cleared": bool(number % 2),
        "details": {"b": [1, None], "a": {"x": 1.5}},
        "touched": f"2026-11-23T13:{number:02d}:00.123456Z",
        "is_internal": None if number < 3 else False,
    }
    for number in range(6)
]
PARAMETERS: Final = (
    bigquery.ScalarQueryParameter("start", "TIMESTAMP", HOUR.start),
    bigquery.ScalarQueryParameter("end", "TIMESTAMP", HOUR.end),
)


def _now(place: Place) -> datetime:
    (row,) = place.sql(queries.readiness(CONTRACT, place.dataset), _name()).result()
    found: datetime = row["snapshot"]
    return found


def _name() -> bigquery.ScalarQueryParameter:
    return bigquery.ScalarQueryParameter("dataset", "STRING", CONTRACT.name)


@step("dataset: make it, and once more")
def _(place: Place) -> str:
    made = bigquery.Dataset(place.dataset)
    made.location = place.location
    place.bigquery.create_dataset(made)
    return failed(place, lambda: place.bigquery.create_dataset(made))


@step("tables: partitioned and clustered, described")
def _(place: Place) -> str:
    table = bigquery.Table(f"{place.dataset}.{CONTRACT.table}", FIELDS)
    table.time_partitioning = bigquery.TimePartitioning(bigquery.TimePartitioningType.HOUR, field="touched")
    table.clustering_fields = ["booking_no"]
    place.bigquery.create_table(table)
    place.sql(f"CREATE TABLE `{place.dataset}.{CONTRACT.watermark}` (dataset STRING, complete_until TIMESTAMP)")
    found = place.bigquery.get_table(table)
    partitioning = found.time_partitioning
    kinds = " ".join(f"{field.field_type}/{field.mode}" for field in found.schema)
    return f"{partitioning.type_} {partitioning.field} {found.clustering_fields} {kinds}"


@step("load job: rows as JSON")
def _(place: Place) -> str:
    config = bigquery.LoadJobConfig(schema=FIELDS, write_disposition="WRITE_APPEND")
    job = place.bigquery.load_table_from_json(ROWS, f"{place.dataset}.{CONTRACT.table}", job_config=config)
    job.result()
    return f"{job.output_rows} rows"


@step("MERGE: the watermark, made and moved on")
def _(place: Place) -> str:
    text = (
        f"MERGE `{place.dataset}.{CONTRACT.watermark}` t USING (SELECT @dataset AS dataset, @end AS complete_until) s "
        "ON t.dataset = s.dataset WHEN MATCHED THEN UPDATE SET complete_until = s.complete_until "
        "WHEN NOT MATCHED THEN INSERT (dataset, complete_until) VALUES (s.dataset, s.complete_until)"
    )
    affected = [place.sql(text, _name(), PARAMETERS[1]).num_dml_affected_rows for _ in range(2)]
    (row,) = place.sql(queries.readiness(CONTRACT, place.dataset), _name()).result()
    right = abs(datetime.now(UTC) - row["snapshot"]) < timedelta(minutes=1)
    return f"{affected} complete until {row['complete_until']:%H:%M}, clocks agree: {right}"


@step("count: totals of the hour, whole and in three parts")
def _(place: Place) -> str:
    told = []
    for parts in (1, 3):
        rows = list(place.sql(queries.totals(CONTRACT, place.dataset, _now(place), parts), *PARAMETERS).result())
        sums = [sum(row[name] for row in rows) for name in ("row_count", "key_count", "byte_count", "total_0")]
        told.append(f"{sums[0]} rows, {sums[1]} keys, {sums[2]} bytes, sum {sums[3]:.9f}")
    return "; ".join(told)


@step("look: watermark and totals at one instant, which is the snapshot of what is read then")
def _(place: Place) -> str:
    (row,) = place.sql(queries.look(CONTRACT, place.dataset), _name(), *PARAMETERS).result()
    (later,) = place.sql(queries.totals(CONTRACT, place.dataset, row["snapshot"], 1), *PARAMETERS).result()
    same = row["fingerprint"] == later["fingerprint"]
    return f"complete until {row['complete_until']:%H:%M}, {row['row_count']} rows, the same later: {same}"


@step("hours, hashes, compared with what is now, moved")
def _(place: Place) -> str:
    snapshot = _now(place)
    (hour,) = place.sql(queries.hours(CONTRACT, place.dataset, snapshot), *PARAMETERS).result()
    before = place.sql(queries.hashes(CONTRACT, place.dataset, snapshot), *PARAMETERS)
    before.result()
    kept = f"{before.destination.project}.{before.destination.dataset_id}.{before.destination.table_id}"
    place.sql(f"UPDATE `{place.dataset}.{CONTRACT.table}` SET is_internal = TRUE WHERE line = 5")
    now = _now(place)
    (found,) = place.sql(queries.compared(CONTRACT, place.dataset, kept, now), *PARAMETERS).result()
    (moved,) = place.sql(queries.moved(CONTRACT, place.dataset, kept, now), *PARAMETERS).result()
    return f"{hour['hour']:%H:%M} {hour['row_count']} rows, {found['gone']} gone, {moved['row_count']} moved"


@step("Google's fingerprint (the local cloud's is another)")
def _(place: Place) -> str:
    (row,) = place.sql("SELECT FARM_FINGERPRINT('x') = -4503883598042011646 AS same").result()
    return f"as FarmHash says: {row['same'] or place.local is not None}"


@step("Storage Read: a small result, every type")
def _(place: Place) -> str:
    return _read(place, queries.extract(CONTRACT, place.dataset, _now(place), 1, 1))


@step("Storage Read: an empty result")
def _(place: Place) -> str:
    return _read(place, queries.extract(CONTRACT, place.dataset, _now(place), 1, 1) + " AND FALSE")


def _read(place: Place, sql: str) -> str:
    job = place.sql(sql, *PARAMETERS)
    session = place.reader.create_read_session(
        parent=f"projects/{place.project}",
        read_session=storage_read.ReadSession(
            table=job.destination.path.lstrip("/"), data_format=storage_read.DataFormat.ARROW
        ),
        max_stream_count=1,
    )
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    values = sorted(
        repr(list(row.values()))
        for stream in session.streams
        for message in place.reader.read_rows(stream.name)
        for row in pa.ipc.read_record_batch(
            pa.py_buffer(message.arrow_record_batch.serialized_record_batch), schema
        ).to_pylist()
    )
    kinds = " ".join(str(field.type) for field in schema)
    return f"{len(session.streams)} streams, {len(values)} rows, {kinds}; {(values or ['nothing'])[-1]}"


def _statements(place: Place) -> Iterator[tuple[str, str]]:
    table, before = f"`{place.dataset}.{CONTRACT.table}`", "TIMESTAMP '2026-01-01 00:00:00+00:00'"
    yield "before the table was made", f"SELECT line FROM {table} FOR SYSTEM_TIME AS OF {before}"
    yield "in the future", f"SELECT line FROM {table} FOR SYSTEM_TIME AS OF TIMESTAMP '2099-01-01 00:00:00+00:00'"
    yield "by a subquery", f"SELECT line FROM {table} FOR SYSTEM_TIME AS OF (SELECT MAX(touched) FROM {table})"
    yield "of a view", f"SELECT line FROM `{place.dataset}.seen` FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()"
    yield "a reserved word", "SELECT 1 AS rows"
    yield "a cast of another dialect", f"SELECT line::STRING FROM {table}"
    yield "a name that is misspelt", f"SELECT bookings FROM {table}"
    yield "types that do not compare", f"SELECT line FROM {table} WHERE cleared = 1"
    yield "JSON compared", f"SELECT details IS DISTINCT FROM details FROM {table}"
    yield "a float into NUMERIC", f"INSERT INTO {table} (booking_no, line, amount) SELECT 'x', 1, CAST('1' AS FLOAT64)"
    yield "NUMERIC(39, 2)", f"CREATE TABLE `{place.dataset}.wrong` (x NUMERIC(39, 2))"
    yield "partitions by a text", f"CREATE TABLE `{place.dataset}.wrong` (x STRING) PARTITION BY x"
    yield (
        "recursion below the top",
        ("SELECT * FROM (WITH RECURSIVE b AS (SELECT 1 AS n UNION ALL SELECT 2 FROM b WHERE n < 2) SELECT n FROM b)"),
    )
    yield "a table that is not there", f"SELECT 1 FROM `{place.dataset}.nothing`"
    yield (
        "two rows for one of MERGE",
        (
            f"MERGE {table} t USING (SELECT 1 AS line UNION ALL SELECT 1) s ON t.line = s.line "
            "WHEN MATCHED THEN UPDATE SET free_text = 'x'"
        ),
    )


@step("a view, a table from a query, a column more, a row less")
def _(place: Place) -> str:
    table = f"`{place.dataset}.{CONTRACT.table}`"
    kinds = []
    for text in (
        f"CREATE VIEW `{place.dataset}.seen` AS SELECT * FROM {table} WHERE cleared",
        f"CREATE OR REPLACE TABLE `{place.dataset}.copied` PARTITION BY DATE(touched) AS SELECT * FROM {table}",
        f"ALTER TABLE `{place.dataset}.copied` ADD COLUMN more STRING",
        f"INSERT INTO `{place.dataset}.copied` (booking_no, line) VALUES ('x', 99)",
        f"DELETE FROM `{place.dataset}.copied` WHERE line = 99",
        f"TRUNCATE TABLE `{place.dataset}.copied`",
        f"DROP TABLE `{place.dataset}.copied`",
    ):
        job = place.sql(text)
        kinds.append(f"{job.statement_type} {job.num_dml_affected_rows}")
    (seen,) = place.sql(f"SELECT COUNT(*) AS n FROM `{place.dataset}.seen`").result()
    return f"{', '.join(kinds)}; {seen['n']} seen"


def _refused(case: str) -> Step:
    return lambda place: failed(place, lambda: place.sql(dict(_statements(place))[case]))


STEPS.update({f"refused: {case}": _refused(case) for case, _ in _statements(Place("", "", ""))})


@step("bytes: columns and partitions, as a dry run says")
def _(place: Place) -> str:
    table = f"`{place.dataset}.{CONTRACT.table}`"
    told = []
    for text in (
        f"SELECT line FROM {table}",
        f"SELECT COUNT(*) FROM {table}",
        f"SELECT line, touched FROM {table} WHERE touched >= @start AND touched < @end",
        f"SELECT line, touched FROM {table} WHERE touched >= @end",
        f"SELECT free_text FROM {table}",
        f"UPDATE {table} SET cleared = TRUE WHERE touched >= @end",
        f"MERGE {table} t USING (SELECT 1 AS line) s ON t.line = s.line WHEN MATCHED THEN DELETE",
    ):
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False, query_parameters=list(PARAMETERS))
        told.append(str(place.bigquery.query(text, job_config=config).total_bytes_processed))
    return " ".join(told)


@step("bytes: billed, and the limit")
def _(place: Place) -> str:
    text = (
        f"SELECT a.line FROM `{place.dataset}.{CONTRACT.table}` a JOIN `{place.dataset}.watermark` b ON b.dataset != ''"
    )
    billed = place.sql(text, use_query_cache=False).total_bytes_billed
    over = failed(place, lambda: place.sql(text, use_query_cache=False, maximum_bytes_billed=10_485_760))
    return f"{billed}; {over}"


@step("the same job id twice")
def _(place: Place) -> str:
    job = f"smoke-{uuid.uuid4()}"
    place.bigquery.query("SELECT 1", job_id=job, job_retry=None).result()
    return failed(place, lambda: place.bigquery.query("SELECT 1", job_id=job, job_retry=None)).split(":")[0]


@step("a table dropped and made anew, read as before")
def _(place: Place) -> str:
    table, before = f"`{place.dataset}.remade`", f"TIMESTAMP '{_now(place):%Y-%m-%d %H:%M:%S.%f+00:00}'"
    for text in (
        f"CREATE TABLE {table} AS SELECT 1 AS x",
        f"DROP TABLE {table}",
        f"CREATE TABLE {table} AS SELECT 2 AS x",
    ):
        place.sql(text)
    return failed(place, lambda: place.sql(f"SELECT x FROM {table} FOR SYSTEM_TIME AS OF {before}"))
