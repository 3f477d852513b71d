"""Rows over BigQuery's Storage Read API: of a query's result, or of a table at one snapshot, over one gRPC stream."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import grpc
import pyarrow as pa
from google.api_core import exceptions as api
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1 import types as storage_read
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

from pipeline.budget import Budget
from pipeline.clients import queries
from pipeline.clients.deadline import asking
from pipeline.clients.retries import WHILE_UNAVAILABLE, noted
from pipeline.contracts.dataset import Dataset
from pipeline.window import Window

SERVICE: Final = "BigQuery"
CALL_SECONDS: Final = 120.0
"""Longest that one call may take, of either API; a query may take several."""

COMPRESSION: Final = storage_read.ArrowSerializationOptions(
    buffer_compression=storage_read.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
)


Client = BigQueryReadClient


class FilterRefused(Exception):
    """The service does not read this table under this condition; a query may."""


def client(address: str | None) -> Client:
    """The client of one process; `address` is that of a local service."""
    if not address:
        return BigQueryReadClient()
    channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def whole(path: str) -> storage_read.ReadSession:
    """A session over all rows of a table, such as a query's result."""
    options = storage_read.ReadSession.TableReadOptions(arrow_serialization_options=COMPRESSION)
    return storage_read.ReadSession(
        table=path.lstrip("/"), data_format=storage_read.DataFormat.ARROW, read_options=options
    )


def of_table(dataset: Dataset, warehouse: str, window: Window, snapshot: datetime) -> storage_read.ReadSession:
    """A session over the shared columns of a window's rows at the snapshot."""
    project, _, name = warehouse.partition(".")
    session = whole(f"projects/{project}/datasets/{name}/tables/{dataset.table}")
    session.table_modifiers = storage_read.ReadSession.TableModifiers(snapshot_time=snapshot)
    session.read_options.selected_fields = list(dict.fromkeys(column.source for column in dataset.columns))
    session.read_options.row_restriction = queries.restriction(dataset, window)
    return session


def batches(reader: Client, wanted: storage_read.ReadSession, project: str, budget: Budget) -> Iterator[pa.RecordBatch]:
    """The rows as Arrow batches, one in memory at a time, with a deadline, so that a stalled stream ends by itself.

    `project` is the one that asks and is billed; the table may be another's. Raises FilterRefused, the client's errors,
    OutOfTime.
    """
    try:
        session = reader.create_read_session(
            parent=f"projects/{project}",
            read_session=wanted,
            max_stream_count=1,
            **asking(SERVICE, budget, CALL_SECONDS),
        )
    except api.InvalidArgument:
        if wanted.read_options.row_restriction:
            raise FilterRefused from None
        raise
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    for stream in session.streams:
        rows = reader.read_rows(
            stream.name,
            timeout=budget.left(),
            retry=noted(WHILE_UNAVAILABLE.with_timeout(budget.waiting()), SERVICE, budget),
        )
        over = threading.Timer(budget.left(), rows.cancel)
        over.daemon = True
        over.start()
        try:
            for message in rows:
                budget.left()
                yield pa.ipc.read_record_batch(pa.py_buffer(message.arrow_record_batch.serialized_record_batch), schema)
        finally:
            over.cancel()
            rows.cancel()
    budget.left()
