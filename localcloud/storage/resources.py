"""What a bucket and an object are: the part a caller may set, and the part the service adds."""

import base64
from datetime import UTC, datetime
from typing import Annotated, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, ValidationError
from pydantic.alias_generators import to_camel

from localcloud.storage.errors import invalid, not_here

Int64 = Annotated[int, PlainSerializer(str, return_type=str)]
"""A 64-bit number travels as a string in Google's JSON."""


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Time = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str)]
Json = dict[str, JsonValue]
Settings = TypeVar("Settings", bound="Resource")


class Resource(BaseModel):
    """A JSON resource with camelCase names. Unknown fields are refused, never dropped in silence."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True, extra="forbid"
    )

    read_only: ClassVar[frozenset[str]] = frozenset()

    def wire(self) -> Json:
        """The resource as JSON, fields without a value left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ObjectSettings(Resource):
    """What a caller may say about an object."""

    read_only = frozenset(
        {"kind", "id", "selfLink", "mediaLink", "name", "bucket", "generation", "metageneration", "etag", "owner"}
        | {"acl", "size", "crc32c", "md5Hash", "componentCount", "retentionExpirationTime"}
        | {"timeCreated", "timeFinalized", "timeDeleted", "timeStorageClassUpdated", "updated"}
    )

    content_type: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    custom_time: Time | None = None
    storage_class: str | None = None
    metadata: dict[str, str] | None = None
    temporary_hold: bool | None = None
    event_based_hold: bool | None = None


class StoredObject(ObjectSettings):
    """One generation of an object. `retention_start` is when its bucket's retention period began; None while held."""

    kind: str = "storage#object"
    bucket: str
    name: str
    generation: Int64
    metageneration: Int64 = 1
    size: Int64
    crc32c: str = Field(alias="crc32c")  # the camel case of the rest would be crc32C
    md5_hash: str | None = None
    component_count: int | None = None
    time_created: Time
    time_finalized: Time
    updated: Time
    time_deleted: Time | None = None
    retention_start: Time | None = None

    def settings(self) -> Json:
        """The part that the caller may set, as JSON."""
        return self.model_dump(
            mode="json", by_alias=True, exclude_none=True, include=set(ObjectSettings.model_fields.keys())
        )

    @property
    def etag(self) -> str:
        return base64.b64encode(f"{self.generation}/{self.metageneration}".encode()).decode()


class RetentionPolicy(Resource):
    retention_period: Int64
    effective_time: Time | None = None
    is_locked: bool | None = None


class Versioning(Resource):
    enabled: bool = False


class BucketSettings(Resource):
    """What a caller may say about a bucket. The fields of type JsonValue are stored and shown, and do nothing here."""

    read_only = frozenset(
        {"kind", "id", "selfLink", "generation", "metageneration", "etag", "owner", "acl", "defaultObjectAcl"}
        | {"locationType", "projectNumber", "timeCreated", "updated"}
    )

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")
    location: str = "US"
    storage_class: str = "STANDARD"
    labels: dict[str, str] | None = None
    versioning: Versioning | None = None
    retention_policy: RetentionPolicy | None = None
    default_event_based_hold: bool | None = None
    lifecycle: JsonValue = None
    iam_configuration: JsonValue = None
    soft_delete_policy: JsonValue = None
    autoclass: JsonValue = None


class StoredBucket(BucketSettings):
    kind: str = "storage#bucket"
    project_number: Int64 = 1
    metageneration: Int64 = 1
    time_created: Time
    updated: Time

    @property
    def versioned(self) -> bool:
        return self.versioning is not None and self.versioning.enabled

    def shown(self) -> Json:
        return {**self.wire(), "id": self.name, "locationType": "multi-region", "etag": f"CA{self.metageneration}="}


def merge(current: Json, change: Json) -> Json:
    """`current` under a JSON merge patch (RFC 7396): null removes, objects merge, anything else replaces."""
    merged = dict(current)
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            known = merged.get(key)
            merged[key] = merge(known if isinstance(known, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def read_settings(model: type[Settings], data: Json) -> Settings:
    """`data` as `model`; nulls and the fields that only the service sets are passed over, as the real service does.

    Raises: Refused 501 for a field this service does not keep, 400 for a value that does not fit.
    """
    given = {key: value for key, value in data.items() if value is not None and key not in model.read_only}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise not_here(f"the field {where!r}") from error
        raise invalid(f"{where}: {first['msg']}") from error
