"""The messages of the Storage Read API that are served, built from their field numbers.

The numbers are those of google/cloud/bigquery/storage/v1/{storage,stream,arrow}.proto; the tests hold them against the
client's. The client's own classes would do as well, but importing them takes most of the time that a server needs to
start. Enums are declared as int32, which is the same on the wire.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

PACKAGE = "google.cloud.bigquery.storage.v1"
TIMESTAMP = "google.protobuf.Timestamp"
# Message: field: (number, type), a type in brackets is repeated, one that is not a scalar is a message.
MESSAGES = {
    "ArrowSchema": {"serialized_schema": (1, "bytes")},
    "ArrowRecordBatch": {"serialized_record_batch": (1, "bytes"), "row_count": (2, "int64")},
    "ArrowSerializationOptions": {"buffer_compression": (2, "int32")},
    "ReadStream": {"name": (1, "string")},
    "TableModifiers": {"snapshot_time": (1, TIMESTAMP)},
    "TableReadOptions": {
        "selected_fields": (1, "[string]"),
        "row_restriction": (2, "string"),
        "arrow_serialization_options": (3, "ArrowSerializationOptions"),
        "sample_percentage": (5, "double"),
    },
    "ReadSession": {
        "name": (1, "string"),
        "expire_time": (2, TIMESTAMP),
        "data_format": (3, "int32"),
        "arrow_schema": (5, "ArrowSchema"),
        "table": (6, "string"),
        "table_modifiers": (7, "TableModifiers"),
        "read_options": (8, "TableReadOptions"),
        "streams": (10, "[ReadStream]"),
        "estimated_total_bytes_scanned": (12, "int64"),
        "estimated_row_count": (14, "int64"),
    },
    "CreateReadSessionRequest": {
        "parent": (1, "string"),
        "read_session": (2, "ReadSession"),
        "max_stream_count": (3, "int32"),
    },
    "ReadRowsRequest": {"read_stream": (1, "string"), "offset": (2, "int64")},
    "ReadRowsResponse": {
        "arrow_record_batch": (4, "ArrowRecordBatch"),
        "row_count": (6, "int64"),
        "arrow_schema": (8, "ArrowSchema"),
    },
}


def _classes() -> dict[str, Any]:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="local_storage_read.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=["google/protobuf/timestamp.proto"],
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, text) in fields.items():
            kind = text.strip("[]")
            label = kinds.LABEL_REPEATED if text.startswith("[") else kinds.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            scalar = f"TYPE_{kind.upper()}"
            if scalar in kinds.Type.keys():  # noqa: SIM118 - an enum wrapper, not a mapping
                added.type = kinds.Type.Value(scalar)
            else:
                added.type = kinds.TYPE_MESSAGE
                added.type_name = f".{kind}" if "." in kind else f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()  # not the default one, where the client's own would collide
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(timestamp_pb2.DESCRIPTOR.serialized_pb))
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


_CLASSES = _classes()
CreateReadSessionRequest: Any = _CLASSES["CreateReadSessionRequest"]
ReadSession: Any = _CLASSES["ReadSession"]
ReadRowsRequest: Any = _CLASSES["ReadRowsRequest"]
ReadRowsResponse: Any = _CLASSES["ReadRowsResponse"]
