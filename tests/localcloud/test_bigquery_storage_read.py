"""The Storage Read API of the local BigQuery."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psutil
import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types

from localcloud.bigquery import messages
from localcloud.bigquery.client import PROJECT, Local, running

ROWS = 700_000
pytestmark = pytest.mark.filterwarnings("ignore:Retrieving Arrow record batches:PendingDeprecationWarning")
LZ4 = types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
ZSTD = types.ArrowSerializationOptions.CompressionCodec.ZSTD


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with running() as server:
        server.bigquery.create_dataset("d")
        server.rows(
            """CREATE TABLE d.types (id INT64, name STRING, amount NUMERIC(10, 2), big BIGNUMERIC, moment TIMESTAMP,
            day DATE, civil DATETIME, clock TIME, yes BOOL, ratio FLOAT64, raw BYTES, doc JSON, tags ARRAY<STRING>)"""
        )
        server.rows(
            """INSERT INTO d.types VALUES (1, 'é', 1.5, BIGNUMERIC '-1.000000000000000001',
            TIMESTAMP '2026-01-01 00:00:00.123456+00', DATE '2026-01-01', DATETIME '2026-01-01 01:02:03',
            TIME '01:02:03', TRUE, 0.1, b'hi', JSON '{"a": 1}', ['x'])"""
        )
        server.rows("INSERT INTO d.types (id) VALUES (2)")
        server.rows(
            f"""CREATE TABLE d.many AS SELECT n, CONCAT('customer ', CAST(n AS STRING)) AS name,
            CAST(n AS NUMERIC) AS amount FROM UNNEST(GENERATE_ARRAY(0, {ROWS - 1})) n"""
        )
        yield server


def session(
    local: Local, table: str = "d.types", streams: int = 1, at: dt.datetime | None = None, **options: Any
) -> Any:
    project, dataset, name = table.split(".") if table.count(".") == 2 else (PROJECT, *table.split("."))
    codec = options.pop("codec", None)
    read_options = types.ReadSession.TableReadOptions(**options)
    if codec is not None:
        read_options.arrow_serialization_options = types.ArrowSerializationOptions(buffer_compression=codec)
    wanted = types.ReadSession(
        table=f"projects/{project}/datasets/{dataset}/tables/{name}",
        data_format=types.DataFormat.ARROW,
        read_options=read_options,
    )
    if at is not None:
        wanted.table_modifiers = types.ReadSession.TableModifiers(snapshot_time=at)
    return local.storage.create_read_session(
        parent=f"projects/{PROJECT}", read_session=wanted, max_stream_count=streams, retry=None
    )


def read(local: Local, opened: Any, offset: int = 0) -> pa.Table:
    """All rows of a session's streams in order; `offset` applies to the first."""
    batches = []
    for number, stream in enumerate(opened.streams):
        rows = local.storage.read_rows(stream.name, offset if number == 0 else 0).rows(opened)
        batches += [page.to_arrow() for page in rows.pages]
    return pa.Table.from_batches(batches)


def test_every_type_is_the_arrow_type_of_bigquery(local: Local) -> None:
    table = read(local, session(local))
    assert [str(field.type) for field in table.schema] == [
        "int64",
        "string",
        "decimal128(38, 9)",
        "decimal256(76, 38)",
        "timestamp[us, tz=UTC]",
        "date32[day]",
        "timestamp[us]",
        "time64[us]",
        "bool",
        "double",
        "binary",
        "string",
        "list<item: string>",
    ]
    first, second = table.to_pylist()
    assert first["amount"] == Decimal("1.5")
    assert first["big"] == Decimal("-1.000000000000000001")
    assert first["moment"] == dt.datetime(2026, 1, 1, 0, 0, 0, 123456, dt.UTC)
    assert (first["raw"], first["doc"], first["tags"]) == (b"hi", '{"a":1}', ["x"])
    assert {key: value for key, value in second.items() if value is not None} == {"id": 2, "tags": []}


@pytest.mark.parametrize("codec", [None, LZ4, ZSTD])
def test_one_stream_gives_all_rows_in_order_whatever_the_compression(local: Local, codec: Any) -> None:
    opened = session(local, "d.many", codec=codec)
    assert len(opened.streams) == 1
    table = read(local, opened)
    assert table.column("n").to_pylist() == list(range(ROWS))
    assert table.column("amount")[7].as_py() == Decimal(7)


def test_a_stream_resumes_at_any_offset(local: Local) -> None:
    opened = session(local, "d.many")
    for offset in (1, 32_768, 500_001, ROWS):
        assert read_numbers(local, opened, offset) == list(range(offset, ROWS))
    with pytest.raises(exceptions.InvalidArgument):
        read_numbers(local, opened, ROWS + 1)


def read_numbers(local: Local, opened: Any, offset: int) -> list[int]:
    rows = local.storage.read_rows(opened.streams[0].name, offset).rows(opened)
    return [number for page in rows.pages for number in page.to_arrow().column("n").to_pylist()]


def test_several_streams_share_the_rows_between_them(local: Local) -> None:
    opened = session(local, "d.many", streams=4)
    assert len(opened.streams) == 4
    assert read(local, opened).column("n").to_pylist() == list(range(ROWS))


def test_columns_and_rows_can_be_picked(local: Local) -> None:
    picked = session(local, "d.many", selected_fields=["name"], row_restriction="n >= 10 AND n < 12")
    assert read(local, picked).to_pylist() == [{"name": "customer 10"}, {"name": "customer 11"}]
    assert picked.estimated_row_count == 2
    with pytest.raises(exceptions.InvalidArgument, match="nope"):
        session(local, selected_fields=["nope"])


def test_a_session_reads_the_table_at_its_snapshot_time(local: Local) -> None:
    local.rows("CREATE OR REPLACE TABLE d.moving AS SELECT 1 AS x")
    (before,) = local.rows("SELECT CURRENT_TIMESTAMP()")[0]
    opened = session(local, "d.moving")
    local.rows("INSERT INTO d.moving VALUES (2)")
    assert read(local, session(local, "d.moving", at=before)).to_pylist() == [{"x": 1}]
    assert read(local, opened).to_pylist() == [{"x": 1}]
    local.rows("DROP TABLE d.moving")
    assert read(local, opened).to_pylist() == [{"x": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n, name FROM d.many WHERE n >= 100000",
        "SELECT n, UPPER(name) AS name FROM d.many WHERE n >= 100000 ORDER BY n",
    ],
    ids=["picked rows of a table", "computed and sorted"],
)
def test_a_query_result_is_read_from_its_anonymous_table(local: Local, sql: str) -> None:
    job = local.bigquery.query(sql)
    assert job.result().total_rows == ROWS - 100_000
    opened = session(local, str(job.destination), codec=LZ4)
    assert read_numbers(local, opened, 0) == list(range(100_000, ROWS))
    assert read_numbers(local, opened, 599_999) == [ROWS - 1]
    filtered = session(local, str(job.destination), row_restriction="n = 200000", selected_fields=["n"])
    assert read(local, filtered).to_pylist() == [{"n": 200_000}]


def test_an_empty_result_has_no_streams(local: Local) -> None:
    job = local.bigquery.query("SELECT n FROM d.many WHERE n < 0")
    job.result()
    assert list(session(local, str(job.destination)).streams) == []


def test_the_client_reads_results_through_the_storage_api(local: Local) -> None:
    result = local.bigquery.query("SELECT n FROM d.many ORDER BY n DESC").result()
    batches = result.to_arrow_iterable(bqstorage_client=local.storage, max_stream_count=1)
    assert [number for batch in batches for number in batch.column("n").to_pylist()] == list(range(ROWS - 1, -1, -1))


def test_streaming_does_not_gather_the_rows_in_the_server(local: Local) -> None:
    """What it holds more while it sends is less than a half of the rows, however large its blocks are."""
    server = psutil.Process(local.process.pid)
    local.rows("CREATE TABLE d.long AS SELECT * FROM d.many, UNNEST([1, 2, 3, 4, 5]) AS again")
    opened = session(local, "d.long")
    read_numbers(local, opened, 0)
    before, peak, sent = server.memory_info().rss, 0, 0
    for message in local.storage.read_rows(opened.streams[0].name):
        peak = max(peak, server.memory_info().rss)
        sent += len(message.arrow_record_batch.serialized_record_batch)
    assert sent > 100 * 2**20
    assert peak - before < sent / 2


def test_what_is_missing_or_not_served_is_refused(local: Local) -> None:
    with pytest.raises(exceptions.NotFound):
        session(local, "d.nope")
    with pytest.raises(exceptions.NotFound):
        next(iter(local.storage.read_rows("projects/p/locations/us/sessions/s/streams/0", retry=None)))
    avro = types.ReadSession(table=f"projects/{PROJECT}/datasets/d/tables/types", data_format=types.DataFormat.AVRO)
    with pytest.raises(exceptions.MethodNotImplemented):
        local.storage.create_read_session(parent=f"projects/{PROJECT}", read_session=avro, retry=None)
    with pytest.raises(exceptions.MethodNotImplemented):
        local.storage.split_read_stream(request={"name": "x"}, retry=None)


def test_the_servers_messages_have_the_clients_field_numbers() -> None:
    nested: dict[str, Any] = {
        "TableModifiers": types.ReadSession.TableModifiers,
        "TableReadOptions": types.ReadSession.TableReadOptions,
    }
    for name, fields in messages.MESSAGES.items():
        client: Any = nested.get(name) or getattr(types, name)
        theirs = client.pb().DESCRIPTOR.fields_by_name
        for field, (number, kind) in fields.items():
            assert theirs[field].number == number
            assert theirs[field].is_repeated == kind.startswith("[")
            message = theirs[field].message_type
            assert (message.name if message else None) == (kind.strip("[]").split(".")[-1] if message else None)
