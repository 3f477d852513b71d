"""A record as the object that holds it: JSON with a checksum of its own, so that an altered one is noticed; pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.errors import RecordDamaged
from pipeline.records.schema import Record

R = TypeVar("R", bound=Record)


def written(record: Record) -> bytes:
    """The content of a record's object."""
    body: Any = record.model_dump(mode="json")
    return json.dumps({"record": body, "sha256": _digest(body)}, indent=1, sort_keys=True).encode()


def parsed(content: bytes, kind: type[R], path: str) -> R:
    """The record in an object's content. Raises RecordDamaged where its checksum or its shape is another."""
    try:
        envelope = json.loads(content)
        if envelope["sha256"] != _digest(envelope["record"]):
            raise RecordDamaged(f"The record {path} was altered: its own checksum differs.")
        return kind(**envelope["record"])
    except (ValueError, KeyError, TypeError, ValidationError):
        raise RecordDamaged(f"The record {path} cannot be read as {kind.__name__}.") from None


def _digest(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
