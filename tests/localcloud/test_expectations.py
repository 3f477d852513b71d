"""What the official clients expect beyond what each service's own tests say; what is refused on purpose stands last."""

from __future__ import annotations

import gzip
import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from google.api_core.exceptions import MethodNotImplemented
from google.cloud import bigquery, bigquery_storage, storage
from google.cloud.bigquery_storage_v1 import types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.pubsub_v1.types import PubsubMessage, PushConfig
from grpc import insecure_channel

from localcloud.cloud import PROJECT, LocalCloud
from localcloud.tables import Tables

ROWS = 20_000


@pytest.fixture(scope="module")
def tables(cloud: LocalCloud) -> Tables:
    made = Tables(cloud.address("bigquery", "rest"), PROJECT, f"d{uuid.uuid4().hex[:8]}")
    made.client.create_dataset(made.name)
    made.sql(f"CREATE TABLE {made.name}.numbers AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, {ROWS})) AS n")
    return made


@pytest.fixture
def bucket(cloud: LocalCloud) -> storage.Bucket:
    return cloud.storage.create_bucket(f"b{uuid.uuid4().hex}")


@pytest.fixture
def reader(cloud: LocalCloud) -> Iterator[bigquery_storage.BigQueryReadClient]:
    with insecure_channel(cloud.address("bigquery", "grpc")) as channel:
        yield bigquery_storage.BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def test_a_stream_goes_on_from_any_row_where_a_reader_left_it(
    tables: Tables, reader: bigquery_storage.BigQueryReadClient
) -> None:
    project, dataset = tables.name.split(".")
    wanted = types.ReadSession(
        table=f"projects/{project}/datasets/{dataset}/tables/numbers", data_format=types.DataFormat.ARROW
    )
    session = reader.create_read_session(parent=f"projects/{project}", read_session=wanted, max_stream_count=1)
    (stream,) = session.streams
    for offset in (0, 1, ROWS - 1, ROWS):
        assert sum(message.row_count for message in reader.read_rows(stream.name, offset=offset)) == ROWS - offset


def test_one_stream_keeps_the_order_of_the_query(tables: Tables, reader: bigquery_storage.BigQueryReadClient) -> None:
    rows = tables.client.query(f"SELECT n FROM {tables.name}.numbers ORDER BY n DESC").result()
    batches = rows.to_arrow_iterable(bqstorage_client=reader, max_stream_count=1)
    assert [n for batch in batches for n in batch.column("n").to_pylist()] == list(range(ROWS, 0, -1))


def test_a_table_was_modified_when_it_was_written_and_not_when_it_was_read(tables: Tables) -> None:
    name = f"{tables.name}.modified"
    tables.sql(f"CREATE TABLE {name} (n INT64)")
    made = tables.client.get_table(name).modified
    tables.sql(f"SELECT COUNT(*) FROM {name}")
    assert tables.client.get_table(name).modified == made
    assert tables.client.insert_rows_json(name, [{"n": 1}]) == []
    streamed = tables.client.get_table(name).modified
    tables.sql(f"UPDATE {name} SET n = 2 WHERE TRUE")
    assert made < streamed < tables.client.get_table(name).modified


def test_the_meta_table_counts_rows(tables: Tables) -> None:
    found = tables.sql(f"SELECT table_id, row_count FROM {tables.name}.__TABLES__ WHERE table_id = 'numbers'")
    assert [tuple(row.values()) for row in found] == [("numbers", ROWS)]


def test_a_compressed_object_is_unpacked_for_who_does_not_ask_for_it_raw(bucket: storage.Bucket) -> None:
    blob, packed = bucket.blob("a.gz"), gzip.compress(b"content")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed, content_type="text/plain")
    assert bucket.blob("a.gz").download_as_bytes() == b"content"
    assert bucket.blob("a.gz").download_as_bytes(raw_download=True) == packed


@pytest.mark.parametrize("name", ["a b/ü%2F+#?&.csv", "../a", "💶", "a//b"])
def test_any_name_is_a_name(bucket: storage.Bucket, name: str) -> None:
    bucket.blob(name).upload_from_string(b"content")
    assert bucket.blob(name).download_as_bytes() == b"content"
    assert [blob.name for blob in bucket.list_blobs()] == [name]


def test_an_object_is_copied_and_moves_to_another_storage_class(bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string(b"content")
    bucket.copy_blob(bucket.blob("a"), bucket, "b")
    bucket.get_blob("b").update_storage_class("NEARLINE")
    assert (bucket.get_blob("a").storage_class, bucket.get_blob("b").storage_class) == ("STANDARD", "NEARLINE")
    assert bucket.blob("b").download_as_bytes() == b"content"


def test_a_bucket_keeps_labels_lifecycle_and_uniform_access(cloud: LocalCloud, bucket: storage.Bucket) -> None:
    bucket.labels = {"env": "test"}
    bucket.add_lifecycle_delete_rule(age=30)
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.patch()
    kept = cloud.storage.get_bucket(bucket.name)
    assert (kept.labels, len(list(kept.lifecycle_rules))) == ({"env": "test"}, 1)
    assert kept.iam_configuration.uniform_bucket_level_access_enabled


def test_an_upload_that_was_interrupted_says_how_far_it_came(cloud: LocalCloud, bucket: storage.Bucket) -> None:
    piece = os.urandom(262_144)
    url = f"{cloud.address('storage', 'url')}/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&name=a"
    place = requests.post(url, json={}, timeout=10).headers["Location"]

    def put(data: bytes, span: str) -> requests.Response:
        return requests.put(place, data=data, headers={"Content-Range": f"bytes {span}/524288"}, timeout=10)

    assert put(piece, "0-262143").status_code == 308
    asked = put(b"", "*")
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-262143")
    assert put(piece, "262144-524287").status_code == 200
    assert bucket.blob("a").download_as_bytes() == piece * 2


def test_a_push_subscription_keeps_whose_token_it_would_carry(cloud: LocalCloud) -> None:
    topic = f"projects/{PROJECT}/topics/t{uuid.uuid4().hex}"
    name = topic.replace("topics", "subscriptions")
    cloud.publisher.create_topic(name=topic)
    token = PushConfig.OidcToken(service_account_email="push@example.com", audience="https://function.example.com")
    push = PushConfig(push_endpoint="http://127.0.0.1:9/", oidc_token=token)
    cloud.subscriber.create_subscription(request={"name": name, "topic": topic, "push_config": push})
    assert cloud.subscriber.get_subscription(subscription=name).push_config.oidc_token == token
    cloud.subscriber.modify_push_config(subscription=name, push_config=PushConfig())
    before = time.time()
    cloud.publisher.publish(topic=topic, messages=[PubsubMessage(data=b"x")])
    (received,) = cloud.subscriber.pull(subscription=name, max_messages=1).received_messages
    published: Any = received.message.publish_time  # a datetime, whatever its type says
    assert before - 1 <= published.timestamp() <= time.time()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM {name}.INFORMATION_SCHEMA.PARTITIONS",
        "EXPORT DATA OPTIONS (uri = 'gs://b/*.csv', format = 'CSV') AS SELECT 1 AS a",
        "CREATE FUNCTION `{name}.f`(x INT64) AS (x + 1)",
    ],
)
def test_statements_that_nothing_here_needs_are_refused_loudly(tables: Tables, sql: str) -> None:
    with pytest.raises(MethodNotImplemented, match="does not serve"):
        tables.client.query(sql.format(name=tables.name), job_config=bigquery.QueryJobConfig(), job_retry=None).result()


@pytest.mark.parametrize("call", ["acl", "iam", "notificationConfigs"])
def test_calls_that_nothing_here_needs_are_refused_loudly(cloud: LocalCloud, bucket: storage.Bucket, call: str) -> None:
    url = f"{cloud.address('storage', 'url')}/storage/v1/b/{bucket.name}/{call}"
    assert requests.get(url, timeout=10).status_code == 501
