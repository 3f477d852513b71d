"""Calls on objects that are there: read, change, delete, list, compose, rewrite."""

from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from pydantic import Field

from localcloud.storage.content import Content, Digests, fill, pieces_of
from localcloud.storage.errors import Refused, invalid, not_here
from localcloud.storage.listing import Listing, page
from localcloud.storage.resources import Json, ObjectSettings, Resource, StoredObject, merge, read_settings
from localcloud.storage.rules import Conditions, retention_end
from localcloud.storage.store import Store
from localcloud.storage.wire import FileRange, Request, Response, json_response, requested_range

MOST_SOURCES = 32
"""Objects that one compose call may join (Cloud Storage documentation, "Composite objects")."""


def shown(store: Store, stored: StoredObject, host: str) -> Json:
    """The object as its resource, with links and the end of its retention."""
    path = f"/storage/v1/b/{stored.bucket}/o/{quote(stored.name, safe='')}"
    end = retention_end(store.bucket(stored.bucket), stored)
    return {
        **{key: value for key, value in stored.wire().items() if key != "retentionStart"},
        **({"retentionExpirationTime": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ")} if end else {}),
        "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
        "etag": stored.etag,
        "selfLink": f"{host}{path}",
        "mediaLink": f"{host}/download{path}?generation={stored.generation}&alt=media",
    }


def generation(request: Request, parameter: str = "generation") -> int | None:
    text = request.query.get(parameter)
    if text is not None and not text.isdigit():
        raise invalid(f"Invalid value for {parameter}: {text}")
    return None if text is None else int(text)


def get_object(store: Store, request: Request, bucket: str, name: str) -> Response:
    """The resource, or with alt=media the content, whole or in part."""
    stored, file = store.open(bucket, name, generation(request), Conditions.read(request.query))
    try:
        if request.query.get("alt") == "media":
            return _media(request, stored, file)
    except Refused:
        file.close()
        raise
    file.close()
    return json_response(shown(store, stored, request.host))


def _media(request: Request, stored: StoredObject, file: BinaryIO) -> Response:
    if stored.content_encoding == "gzip" and "gzip" not in (request.header("Accept-Encoding") or ""):
        raise not_here("decompressive transcoding; send Accept-Encoding: gzip")
    hashes = f"crc32c={stored.crc32c}" + (f",md5={stored.md5_hash}" if stored.md5_hash else "")
    headers = {
        "Content-Type": stored.content_type or "application/octet-stream",
        "Accept-Ranges": "bytes",
        "ETag": stored.etag,
        "X-Goog-Hash": hashes,
        "X-Goog-Generation": str(stored.generation),
        "X-Goog-Metageneration": str(stored.metageneration),
        "X-Goog-Storage-Class": str(stored.storage_class),
        "X-Goog-Stored-Content-Length": str(stored.size),
        "X-Goog-Stored-Content-Encoding": stored.content_encoding or "identity",
    }
    if stored.content_encoding:
        headers["Content-Encoding"] = stored.content_encoding
    part = requested_range(request.header("Range"), stored.size)
    if part is None:
        return Response(200, FileRange(file, 0, stored.size), headers)
    headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{stored.size}"
    return Response(206, FileRange(file, part[0], part[1] - part[0]), headers)


def change_object(store: Store, request: Request, bucket: str, name: str) -> Response:
    """PATCH merges, PUT replaces."""
    data = request.json()
    patch = request.method == "PATCH"
    changed = store.change_object(
        store.find(bucket, name, generation(request)),
        Conditions.read(request.query),
        lambda before: read_settings(ObjectSettings, merge(before.settings(), data) if patch else data),
    )
    return json_response(shown(store, changed, request.host))


def delete_object(store: Store, request: Request, bucket: str, name: str) -> Response:
    store.delete(bucket, name, generation(request), Conditions.read(request.query))
    return Response(204)


def list_objects(store: Store, request: Request, bucket: str) -> Response:
    found = page(Listing.read(request.query), store.names(bucket), lambda name: store.versions(bucket, name))
    return json_response(
        {
            "kind": "storage#objects",
            **({"items": [shown(store, one, request.host) for one in found.items]} if found.items else {}),
            **({"prefixes": list(found.prefixes)} if found.prefixes else {}),
            **({"nextPageToken": found.token} if found.token else {}),
        }
    )


class _Source(Resource):
    name: str
    generation: int | None = None
    object_preconditions: dict[str, str] = Field(default_factory=dict)


class _Compose(Resource):
    kind: str = ""
    source_objects: list[_Source]
    destination: Json = Field(default_factory=dict)


def compose(store: Store, request: Request, bucket: str, name: str) -> Response:
    """Up to 32 objects of one bucket become one, which has no MD5."""
    asked = read_settings(_Compose, request.json())
    if not 1 <= len(asked.source_objects) <= MOST_SOURCES:
        raise invalid(f"A compose call joins 1 to {MOST_SOURCES} objects.")
    conditions = Conditions.read(request.query)
    store.check_write(bucket, name, conditions)
    sources = [store.find(bucket, one.name, one.generation) for one in asked.source_objects]
    for one, found in zip(asked.source_objects, sources, strict=True):
        Conditions.read(one.object_preconditions).check_object(found)
    content = _copied(store, *sources, md5=False)
    components = sum(one.component_count or 1 for one in sources)
    settings = read_settings(ObjectSettings, asked.destination)
    stored = store.commit(bucket, name, content, settings, conditions, components)
    return json_response(shown(store, stored, request.host))


def rewrite(store: Store, request: Request, bucket: str, name: str, to_bucket: str, to_name: str) -> Response:
    """A copy in one call, however large: the real service may ask to be called again."""
    stored = _copy(store, request, bucket, name, to_bucket, to_name)
    return json_response(
        {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": str(stored.size),
            "objectSize": str(stored.size),
            "done": True,
            "resource": shown(store, stored, request.host),
        }
    )


def copy(store: Store, request: Request, bucket: str, name: str, to_bucket: str, to_name: str) -> Response:
    return json_response(shown(store, _copy(store, request, bucket, name, to_bucket, to_name), request.host))


def _copy(store: Store, request: Request, bucket: str, name: str, to_bucket: str, to_name: str) -> StoredObject:
    source = store.find(bucket, name, generation(request, "sourceGeneration"))
    Conditions.read(request.query, "ifSource").check_object(source)
    conditions = Conditions.read(request.query)
    store.check_write(to_bucket, to_name, conditions)
    kept: Json = {key: value for key, value in source.settings().items() if not key.endswith("Hold")}
    settings = read_settings(ObjectSettings, {**kept, **request.json()})
    content = _copied(store, source, md5=source.md5_hash is not None)
    return store.commit(to_bucket, to_name, content, settings, conditions, source.component_count)


def _copied(store: Store, *sources: StoredObject, md5: bool) -> Content:
    def pieces() -> Iterator[bytes]:
        for source in sources:
            _, opened = store.open(source.bucket, source.name, source.generation)
            with opened as file:
                yield from pieces_of(file)

    expected = Digests(crc32c=sources[0].crc32c) if len(sources) == 1 else Digests()
    try:
        return fill(store.new_sink(), pieces()).finish(expected, md5=md5)
    except Refused as refusal:
        raise Refused(500, "backendError", "The stored bytes are no longer those that were uploaded.") from refusal
