"""Load jobs and streaming inserts of the local BigQuery."""

from __future__ import annotations

import datetime as dt
import io
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core import exceptions
from google.cloud import bigquery

from localcloud.bigquery.client import Local, running

SCHEMA = [
    bigquery.SchemaField("id", "STRING", "REQUIRED"),
    bigquery.SchemaField("n", "INT64"),
    bigquery.SchemaField("amount", "NUMERIC"),
    bigquery.SchemaField("at", "TIMESTAMP"),
    bigquery.SchemaField("raw", "BYTES"),
    bigquery.SchemaField("doc", "JSON"),
    bigquery.SchemaField("tags", "STRING", "REPEATED"),
]
ROW: dict[str, Any] = {
    "id": 'a,"b"\n𝄞',
    "n": 9007199254740993,
    "amount": "12345678901234567890123456789.123456789",
    "at": "2026-01-01T00:00:00.123456Z",
    "raw": "AAH/",
    "doc": {"k": [1, None]},
    "tags": ["x", ""],
}
LOADED = (
    'a,"b"\n𝄞',
    9007199254740993,
    Decimal("12345678901234567890123456789.123456789"),
    dt.datetime(2026, 1, 1, 0, 0, 0, 123456, dt.UTC),
    b"\x00\x01\xff",
    {"k": [1, None]},
    ["x", ""],
)


@pytest.fixture(scope="module")
def server() -> Iterator[Local]:
    with running() as local:
        local.bigquery.create_dataset("d")
        yield local


@pytest.fixture
def local(server: Local) -> Local:
    """The server with an empty table `d.t`."""
    server.bigquery.delete_table("d.t", not_found_ok=True)
    server.bigquery.create_table(bigquery.Table(f"{server.bigquery.project}.d.t", schema=SCHEMA))
    return server


def load(local: Local, data: bytes, table: str = "d.t", *, resumable: bool = False, **config: Any) -> bigquery.LoadJob:
    """A load job, finished. Without a size the client chooses a resumable upload."""
    options = bigquery.LoadJobConfig(**config)
    size = None if resumable else len(data)
    job = local.bigquery.load_table_from_file(io.BytesIO(data), table, size=size, job_config=options)
    job.result()
    return job


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize("resumable", [False, True])
def test_json_lines_keep_every_value_exact(local: Local, resumable: bool) -> None:
    data = "\n".join(json.dumps(row) for row in (ROW, {"id": "bare"})).encode()
    job = load(local, data, resumable=resumable, source_format="NEWLINE_DELIMITED_JSON")
    assert job.output_rows == 2
    assert local.rows("SELECT * FROM d.t ORDER BY id") == [LOADED, ("bare", *[None] * 5, [])]


def test_a_large_upload_arrives_in_pieces_and_whole(local: Local) -> None:
    data = b"".join(json.dumps({"id": f"{number:07d}", "n": number}).encode() + b"\n" for number in range(60_000))
    job = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON")
    upload = local.bigquery.load_table_from_file(io.BytesIO(data), "d.t", job_config=job, rewind=True)
    upload.result()
    assert local.rows("SELECT COUNT(*), COUNT(DISTINCT id), SUM(n) FROM d.t") == [(60_000, 60_000, sum(range(60_000)))]


def test_a_json_number_is_loaded_exactly_or_refused(local: Local) -> None:
    line = '{"id": "a", "n": 9223372036854775807, "amount": %s}'
    for text in ("0.123456789", "999999.123456789", "123456789012345", "0.30000000000000004", "-12345678901234.5"):
        load(local, (line % text).encode(), source_format="NEWLINE_DELIMITED_JSON")
        expected = Decimal(text).quantize(Decimal("1e-9"))
        assert local.rows("SELECT n, amount FROM d.t WHERE amount = @x", numeric(expected)) == [(2**63 - 1, expected)]
    for text in ("12345678901234567890123456789.123456789", "1234567.1234567891", "123456789012345678901"):
        with pytest.raises(exceptions.BadRequest, match="as a string"):
            load(local, (line % text).encode(), source_format="NEWLINE_DELIMITED_JSON")


def numeric(value: Decimal) -> bigquery.ScalarQueryParameter:
    return bigquery.ScalarQueryParameter("x", "NUMERIC", value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"n": 1}, "NOT NULL"),
        ({"id": "a", "nope": 1}, "No such field: nope"),
        ({"id": "a", "n": "x"}, "Could not convert"),
        ({"id": "a", "at": "yesterday"}, "yesterday"),
    ],
)
def test_a_bad_row_fails_the_whole_load(local: Local, line: dict[str, Any], message: str) -> None:
    data = (json.dumps({"id": "good"}) + "\n" + json.dumps(line)).encode()
    with pytest.raises(exceptions.BadRequest, match=message):
        load(local, data, source_format="NEWLINE_DELIMITED_JSON")
    assert local.rows("SELECT COUNT(*) FROM d.t") == [(0,)]


def test_parquet_makes_its_table_and_truncation_keeps_the_past(local: Local) -> None:
    when = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    table = pa.table(
        {
            "s": ["a", None],
            "amount": pa.array([Decimal("1.50"), None], pa.decimal128(38, 9)),
            "at": pa.array([when, when], pa.timestamp("us", tz="UTC")),
            "tags": [["x"], []],
        }
    )
    load(local, parquet(table), "d.p", source_format="PARQUET", write_disposition="WRITE_TRUNCATE")
    assert local.rows("SELECT * FROM d.p") == [("a", Decimal("1.5"), when, ["x"]), (None, None, when, [])]
    (before,) = local.rows("SELECT CURRENT_TIMESTAMP()")[0]
    load(local, parquet(table.slice(0, 1)), "d.p", source_format="PARQUET", write_disposition="WRITE_TRUNCATE")
    assert local.rows("SELECT COUNT(*) FROM d.p") == [(1,)]
    assert local.rows(f"SELECT COUNT(*) FROM d.p FOR SYSTEM_TIME AS OF TIMESTAMP '{before.isoformat()}'") == [(2,)]
    load(local, parquet(table), "d.p", source_format="PARQUET", write_disposition="WRITE_APPEND")
    assert local.bigquery.get_table("d.p").num_rows == 3


def test_csv_tells_empty_text_from_null_by_its_marker(local: Local) -> None:
    local.rows("CREATE OR REPLACE TABLE d.c (s STRING, n INT64, day DATE)")
    data = b's,n,day\r\n"a, ""b""",1,2026-01-01\r\n,,\r\nNULL,NULL,NULL\r\n"line\r\nbreak",2,\r\n'
    load(local, data, "d.c", source_format="CSV", skip_leading_rows=1, null_marker="NULL", allow_quoted_newlines=True)
    expected = [('a, "b"', 1, dt.date(2026, 1, 1)), ("", None, None), (None, None, None), ("line\r\nbreak", 2, None)]
    assert local.rows("SELECT * FROM d.c") == expected


def test_autodetection_finds_the_columns(local: Local) -> None:
    load(local, b'{"x": 1, "y": "a"}\n{"x": 2}', "d.auto", source_format="NEWLINE_DELIMITED_JSON", autodetect=True)
    assert local.rows("SELECT x, y FROM d.auto ORDER BY x") == [(1, "a"), (2, None)]


def test_dispositions_are_obeyed(local: Local) -> None:
    line, kind = b'{"id": "a"}', "NEWLINE_DELIMITED_JSON"
    load(local, line, source_format=kind, write_disposition="WRITE_EMPTY")
    with pytest.raises(exceptions.Conflict):
        load(local, line, source_format=kind, write_disposition="WRITE_EMPTY")
    with pytest.raises(exceptions.NotFound):
        load(local, line, "d.absent", source_format=kind, schema=SCHEMA, create_disposition="CREATE_NEVER")
    wider = [*SCHEMA, bigquery.SchemaField("extra", "DATE")]
    with pytest.raises(exceptions.BadRequest, match="Cannot add fields"):
        load(local, line, source_format=kind, schema=wider)
    load(local, line, source_format=kind, schema=wider, schema_update_options=["ALLOW_FIELD_ADDITION"])
    assert local.rows("SELECT COUNT(*), COUNT(extra) FROM d.t") == [(2, 0)]


def test_streaming_inserts_are_seen_at_once(local: Local) -> None:
    assert (
        local.bigquery.insert_rows_json("d.t", [{**ROW, "doc": json.dumps(ROW["doc"])}, {"id": "b", "at": 1.5}]) == []
    )
    rows = local.rows("SELECT * FROM d.t ORDER BY id")
    assert rows[0] == LOADED
    assert rows[1][3] == dt.datetime(1970, 1, 1, 0, 0, 1, 500000, dt.UTC)


def test_a_bad_streamed_row_is_named_and_stops_the_others(local: Local) -> None:
    errors = local.bigquery.insert_rows_json("d.t", [{"id": "a"}, {"n": 1}, {"id": "c", "nope": 1}])
    assert [(entry["index"], entry["errors"][0]["reason"]) for entry in errors] == [
        (0, "stopped"),
        (1, "invalid"),
        (2, "invalid"),
    ]
    assert local.rows("SELECT COUNT(*) FROM d.t") == [(0,)]
    assert len(local.bigquery.insert_rows_json("d.t", [{"id": "a"}, {"n": 1}], skip_invalid_rows=True)) == 1
    assert local.rows("SELECT id FROM d.t") == [("a",)]


def test_many_loads_at_once_lose_nothing(local: Local) -> None:
    failures: list[BaseException] = []

    def append(name: str) -> None:
        data = b"".join(json.dumps({"id": f"{name}-{number}"}).encode() + b"\n" for number in range(500))
        try:
            load(local, data, "d.fresh", source_format="NEWLINE_DELIMITED_JSON", schema=SCHEMA)
        except BaseException as error:
            failures.append(error)
            raise

    local.bigquery.delete_table("d.fresh", not_found_ok=True)
    threads = [threading.Thread(target=append, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert local.rows("SELECT COUNT(*), COUNT(DISTINCT id) FROM d.fresh") == [(3000, 3000)]
