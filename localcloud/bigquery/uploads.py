"""Uploads for load jobs: multipart in one request, or resumable in several."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import invalid, not_found, not_served
from .service import Service
from .wire import Request, Response

INSERT_WAIT_SECONDS = 0.05


@dataclass(slots=True)
class Upload:
    project: str
    body: dict[str, Any]
    file: Path
    received: int = 0


class Uploads:
    """Files on their way in, kept under the server's temporary directory."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open: dict[str, Upload] = {}

    def begin(self, request: Request) -> Response:
        project = request.segments[4]
        kind = request.query.get("uploadType")
        if kind == "multipart":
            body, data = _parts(request)
            file = self._file()
            file.write_bytes(data)
            return self._load(project, body, file)
        if kind != "resumable":
            raise not_served(f"uploadType={kind}")
        name = uuid.uuid4().hex
        self._open[name] = Upload(project, request.body.json(), self._file())
        location = f"http://{request.host}{request.path}?uploadType=resumable&upload_id={name}"
        return Response({}, headers={"Location": location})

    def proceed(self, request: Request) -> Response:
        """A piece of a resumable upload; 308 with the range received so far until the last one."""
        name = request.query.get("upload_id", "")
        upload = self._open.get(name)
        if upload is None:
            raise not_found(f"Upload {name}")
        sent = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", request.headers.get("Content-Range") or "bytes */*")
        if sent is None:
            raise invalid(f"Invalid Content-Range: {request.headers.get('Content-Range')}")
        if sent[1] is not None or request.headers.get("Content-Range") is None:
            if sent[1] is not None and int(sent[1]) != upload.received:
                raise invalid(f"Expected bytes from {upload.received}")
            with upload.file.open("ab") as file:
                for piece in request.body.pieces():
                    upload.received += file.write(piece)
        if request.headers.get("Content-Range") is not None and sent[3] != str(upload.received):
            ranges = {"Range": f"bytes=0-{upload.received - 1}"} if upload.received else {}
            return Response(None, 308, ranges)
        del self._open[name]
        return self._load(upload.project, upload.body, upload.file)

    def _load(self, project: str, body: dict[str, Any], file: Path) -> Response:
        if "load" not in (body.get("configuration") or {}):
            raise invalid("An upload must be a load job")
        job = self._service.jobs.start(project, body, lambda job: self._service.writer.run_load(job, file))
        job.done.wait(INSERT_WAIT_SECONDS)
        return Response(job.api())

    def _file(self) -> Path:
        file = self._service.scratch / f"upload-{uuid.uuid4().hex}"
        file.touch()
        return file


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """The job and the data of a multipart/related body (RFC 2387)."""
    boundary = re.search(r'boundary="?([^";]+)', request.headers.get("Content-Type") or "")
    if boundary is None:
        raise invalid("multipart upload without a boundary")
    mark = b"--" + boundary[1].strip("'").encode()
    parts = request.body.bytes().split(mark)
    if len(parts) != 4:
        raise invalid("multipart upload must have two parts")
    job, data = (part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in parts[1:3])
    return json.loads(job), data
