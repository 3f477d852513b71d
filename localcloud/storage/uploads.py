"""The three ways of uploading: media, multipart and resumable."""

import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from urllib.parse import quote

from localcloud.storage.content import Digests, fill
from localcloud.storage.errors import Refused, invalid, not_here
from localcloud.storage.objects import shown
from localcloud.storage.resources import Json, ObjectSettings, read_settings
from localcloud.storage.rules import Conditions
from localcloud.storage.sessions import Chunk, Session, Sessions
from localcloud.storage.store import Store
from localcloud.storage.wire import Request, Response, json_object, json_response


def upload(store: Store, sessions: Sessions, request: Request, bucket: str) -> Response:
    """POST /upload/storage/v1/b/{bucket}/o"""
    kind = request.query.get("uploadType")
    if kind == "resumable":
        return _begin(store, sessions, request, bucket)
    if kind == "multipart":
        description, content_type, data = split_multipart(request)
        return _finish_at_once(store, request, bucket, description, content_type, iter((data,)))
    if kind == "media":
        return _finish_at_once(store, request, bucket, {}, request.header("Content-Type"), request.body.pieces())
    raise not_here(f"uploadType {kind!r}")


def _finish_at_once(
    store: Store, request: Request, bucket: str, description: Json, content_type: str | None, data: Iterator[bytes]
) -> Response:
    name, settings, expected = _described(request, description, content_type)
    conditions = Conditions.read(request.query)
    store.check_write(bucket, name, conditions)
    content = fill(store.new_sink(), data).finish(expected)
    return json_response(shown(store, store.commit(bucket, name, content, settings, conditions), request.host))


def _begin(store: Store, sessions: Sessions, request: Request, bucket: str) -> Response:
    name, settings, expected = _described(request, request.json(), request.header("X-Upload-Content-Type"))
    conditions = Conditions.read(request.query)
    store.check_write(bucket, name, conditions)
    declared = request.header("X-Upload-Content-Length")
    session = Session(
        bucket, name, settings, conditions, expected, int(declared) if declared else None, store.new_sink()
    )
    sessions.add(session)
    location = f"{request.host}{request.path}?uploadType=resumable&name={quote(name, safe='')}&upload_id={session.id}"
    return Response(200, b"", {"Location": location, "X-GUploader-UploadID": session.id})


def resume(store: Store, sessions: Sessions, request: Request, bucket: str) -> Response:
    """PUT .../o?upload_id=: a chunk, or the question how far the upload got (308, or the object once it is there)."""
    session = sessions.find(request.query.get("upload_id", ""))
    chunk = Chunk.read(request.header("Content-Range"), request.body.length)
    with session.lock:
        if session.result is None:
            session.check(chunk)
            if chunk.start is not None:
                _take(session, chunk.start, request)
            if chunk.total is None or session.sink.size < chunk.total:
                received = {"Range": f"bytes=0-{session.sink.size - 1}"} if session.sink.size else {}
                return Response(308, b"", received)
            _finish(store, sessions, session, _digests(request.header("X-Goog-Hash")))
        if session.result is None:
            raise AssertionError("an upload that ended has a result")
        return json_response(shown(store, session.result, request.host))


def _take(session: Session, start: int, request: Request) -> None:
    """Bytes that an earlier request brought already are passed over: a client that lost the answer sends them again."""
    known = session.sink.size - start
    for piece in request.body.pieces():
        session.sink.write(piece[known:] if known > 0 else piece)
        known -= len(piece)


def _finish(store: Store, sessions: Sessions, session: Session, expected: Digests) -> None:
    """All preconditions are checked again: the bucket may have changed since the upload began."""
    try:
        content = session.sink.finish(expected.over(session.expected))
        session.result = store.commit(session.bucket, session.name, content, session.settings, session.conditions)
    except Refused:
        sessions.drop(session)
        raise


def cancel(store: Store, sessions: Sessions, request: Request, bucket: str) -> Response:
    """DELETE .../o?upload_id=; 499 is the documented answer.

    google-cloud-storage leaves upload_id out when a BlobWriter is terminated, and looks at no answer: that is a 404.
    """
    session = sessions.find(request.query.get("upload_id", ""))
    with session.lock:
        sessions.drop(session)
    return Response(499)


def _described(request: Request, description: Json, content_type: str | None) -> tuple[str, ObjectSettings, Digests]:
    name = request.query.get("name") or description.get("name")
    if not isinstance(name, str) or not name:
        raise Refused(400, "required", "Required object name is missing.")
    settings = read_settings(ObjectSettings, description)
    if settings.content_type is None:
        settings = settings.model_copy(update={"content_type": content_type})
    if encoding := request.query.get("contentEncoding"):
        settings = settings.model_copy(update={"content_encoding": encoding})
    crc32c, md5 = description.get("crc32c"), description.get("md5Hash")
    said = Digests(crc32c if isinstance(crc32c, str) else None, md5 if isinstance(md5, str) else None)
    return name, settings, said.over(_digests(request.header("X-Goog-Hash")))


def _digests(header: str | None) -> Digests:
    """From `X-Goog-Hash: crc32c=...,md5=...`."""
    found = dict(re.findall(r"(crc32c|md5)=([A-Za-z0-9+/]+=*)", header or ""))
    return Digests(found.get("crc32c"), found.get("md5"))


def split_multipart(request: Request) -> tuple[Json, str | None, bytes]:
    """The description, the content type and the data of a multipart/related body, which is held in memory.

    Raises: Refused 400 for anything else than two parts.
    """
    boundary = request.headers.get_boundary()
    body = request.raw()
    if boundary is None:
        raise invalid("A multipart upload needs a boundary.")
    mark = b"--" + boundary.encode()
    second = body.find(b"\r\n" + mark, len(mark))
    end = body.rfind(b"\r\n" + mark + b"--")
    if not body.startswith(mark) or not 0 < second < end:
        raise invalid("A multipart upload has two parts: the description and the data.")
    _, description = _headers_and_rest(body[len(mark) + 2 : second])
    headers, data = _headers_and_rest(body[second + len(mark) + 4 : end])
    content_type = headers.get("Content-Type")
    return json_object(description), content_type, data


def _headers_and_rest(part: bytes) -> tuple[Message, bytes]:
    head, _, rest = part.partition(b"\r\n\r\n")
    return BytesHeaderParser().parsebytes(head + b"\r\n\r\n"), rest
