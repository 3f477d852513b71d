"""The Storage Read API over gRPC: sessions and streams of Arrow batches."""

from __future__ import annotations

import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import duckdb
import grpc
import pyarrow as pa

from . import messages, results
from .catalog import TableRef
from .errors import BigQueryError, from_duckdb, invalid, not_found, not_served
from .faults import Fault
from .kept import Kept
from .service import Service
from .sizes import schema_bytes

SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    501: grpc.StatusCode.UNIMPLEMENTED,
}
ARROW = 2
CODECS = {0: None, 1: "lz4", 2: "zstd"}
SESSION_HOURS = 6
STREAMS_KEPT = 4000
STREAM_ROWS = 200_000
MAX_STREAMS = 4
WORKERS = 32
MESSAGE_BYTES = 3 * 2**20


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows `first` to `first + count` of a session."""

    rows: results.Rows
    first: int
    count: int
    codec: str | None


class StorageRead(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, service: Service, latency: float) -> None:
        self._service = service
        self._latency = latency
        self._streams: Kept[str, Stream] = Kept(STREAMS_KEPT, SESSION_HOURS * 3600.0)

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if call.method == f"/{SERVICE}/CreateReadSession":
            return grpc.unary_unary_rpc_method_handler(
                self.create_read_session,
                messages.CreateReadSessionRequest.FromString,
                messages.ReadSession.SerializeToString,
            )
        if call.method == f"/{SERVICE}/ReadRows":
            return grpc.unary_stream_rpc_method_handler(
                self.read_rows, messages.ReadRowsRequest.FromString, messages.ReadRowsResponse.SerializeToString
            )
        sys.stderr.write(f"bigquery: UNIMPLEMENTED {call.method}\n")
        return None

    def create_read_session(self, request: Any, context: grpc.ServicerContext) -> Any:
        """A session with up to four streams, never more than asked for; none where there are no rows."""
        time.sleep(self._latency)
        fault = self._service.faults.take("CreateReadSession")
        if fault is not None and fault.after == 0:
            self._strike(fault, context)
        try:
            session = self._session(request)
        except BigQueryError as error:
            _abort(context, error)
        except duckdb.Error as error:
            _abort(context, from_duckdb(error))
        if fault is not None:
            self._strike(fault, context)
        return session

    def read_rows(self, request: Any, context: grpc.ServicerContext) -> Iterator[bytes]:
        """The rows of a stream from `offset`, in the same order every time."""
        time.sleep(self._latency)
        stream = self._streams.get(request.read_stream)
        if stream is None:
            _abort(context, not_found(f"Stream {request.read_stream}"))
        if request.offset > stream.count:
            _abort(context, invalid(f"Offset {request.offset} is beyond the stream's {stream.count} rows"))
        fault = self._service.faults.take("ReadRows")
        if fault is not None and fault.after == 0 and fault.action != "wrong-rows":
            self._strike(fault, context)
        options = pa.ipc.IpcWriteOptions(compression=stream.codec)
        schema = _schema(stream.rows)
        left = stream.count - request.offset
        for sent, batch in enumerate(_sized(stream.rows.batches(stream.first + request.offset, left))):
            if fault is not None and fault.after == sent:
                if fault.action == "wrong-rows":
                    continue
                self._strike(fault, context)
            yield _message(batch, schema, options, first=sent == 0)
        if fault is not None and fault.after == -1:
            self._strike(fault, context)

    def _session(self, request: Any) -> Any:
        wanted = request.read_session
        if wanted.data_format != ARROW:
            raise not_served("data formats other than ARROW")
        if wanted.read_options.sample_percentage:
            raise not_served("sample_percentage")
        ref = TableRef(*wanted.table.split("/")[1::2])
        at = wanted.table_modifiers.snapshot_time if wanted.table_modifiers.HasField("snapshot_time") else None
        rows = self._service.rows(ref, at.ToDatetime(UTC) if at is not None else None)
        rows = self._restricted(rows, wanted.read_options, ref.project)
        codec = CODECS[wanted.read_options.arrow_serialization_options.buffer_compression]
        name = f"projects/{ref.project}/locations/us/sessions/{uuid.uuid4().hex}"
        streams = _split(rows, request.max_stream_count, codec)
        names = [f"{name}/streams/{number}" for number in range(len(streams))]
        for one, stream in zip(names, streams, strict=True):
            self._streams.add(one, stream)
        session = messages.ReadSession(
            name=name,
            table=wanted.table,
            data_format=ARROW,
            read_options=wanted.read_options,
            estimated_row_count=rows.count,
            estimated_total_bytes_scanned=rows.count * schema_bytes(rows.fields),
        )
        session.arrow_schema.serialized_schema = _schema(rows)
        session.expire_time.FromDatetime(datetime.now(UTC) + timedelta(hours=SESSION_HOURS))
        for one in names:
            session.streams.add(name=one)
        return session

    def _restricted(self, rows: results.Rows, options: Any, project: str) -> results.Rows:
        if not options.selected_fields and not options.row_restriction:
            return rows
        known = {field.name.lower() for field in rows.fields}
        for name in options.selected_fields:
            if name.lower() not in known:
                raise invalid(f"request failed: The following selected fields do not exist in the table schema: {name}")
        cursor = self._service.warehouse.cursor()
        try:
            where = options.row_restriction and self._service.condition(options.row_restriction, project, cursor)
            return results.select(rows, list(options.selected_fields), where or None, cursor)
        finally:
            cursor.close()

    def _strike(self, fault: Fault, context: grpc.ServicerContext) -> None:
        if fault.action == "hang":
            gone = threading.Event()
            if context.add_callback(gone.set):
                while not gone.wait(0.2) and not self._service.faults.stopping.is_set():
                    pass
        code = grpc.StatusCode.INVALID_ARGUMENT if fault.action == "refuse" else grpc.StatusCode.UNAVAILABLE
        context.abort(code, f"fault: {fault.action}")


def serve(service: Service, port: int, latency: float) -> tuple[grpc.Server, int]:
    """Start the server on 127.0.0.1; returns it and its port."""
    server = grpc.server(
        ThreadPoolExecutor(WORKERS, thread_name_prefix="grpc"), options=[("grpc.max_send_message_length", -1)]
    )
    server.add_generic_rpc_handlers((StorageRead(service, latency),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


def _split(rows: results.Rows, wanted: int, codec: str | None) -> list[Stream]:
    number = min(wanted or 1, MAX_STREAMS, -(-rows.count // STREAM_ROWS))
    if not number:
        return []
    size = -(-rows.count // number)
    return [Stream(rows, first, min(size, rows.count - first), codec) for first in range(0, rows.count, size)]


def _sized(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches below the four megabytes that a gRPC channel takes unless it is told otherwise."""
    for batch in batches:
        rows = max(1, batch.num_rows * MESSAGE_BYTES // max(batch.nbytes, 1))
        yield from (batch.slice(first, rows) for first in range(0, batch.num_rows, rows))


def _schema(rows: results.Rows) -> bytes:
    return bytes(pa.schema([field.arrow for field in rows.fields]).serialize())


def _message(batch: pa.RecordBatch, schema: bytes, options: pa.ipc.IpcWriteOptions, *, first: bool) -> Any:
    """One message: the batch as an IPC message, which is what a stream writer puts between schema and end mark."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
        end = sink.tell()
    data = sink.getvalue()[len(schema) : end].to_pybytes()
    message = messages.ReadRowsResponse()
    message.row_count = batch.num_rows
    message.arrow_record_batch.serialized_record_batch = data
    message.arrow_record_batch.row_count = batch.num_rows
    if first:
        message.arrow_schema.serialized_schema = schema
    return message


def _abort(context: grpc.ServicerContext, error: BigQueryError) -> NoReturn:
    if error.status == 501:
        sys.stderr.write(f"bigquery: UNIMPLEMENTED {error.message}\n")
    context.abort(CODES.get(error.status, grpc.StatusCode.INTERNAL), error.message)
    raise AssertionError("abort returns never")
