"""Buckets: the only importer of Cloud Storage. Objects are created once, never overwritten, never deleted.

`if_generation_match=0` on every write makes the server refuse a second content under the same name; whoever loses
reads what the winner wrote. A stream that breaks off leaves no object: the resumable upload is simply never finished.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage import exceptions as transfer
from google.cloud.storage.retry import DEFAULT_RETRY
from requests import exceptions as http
from requests.adapters import HTTPAdapter

from pipeline.budget import Budget
from pipeline.clients.deadline import bounded_session, unanswered
from pipeline.clients.objects import NO_OBJECT, TAKEN, Copy, described
from pipeline.clients.objects import StoredObject as StoredObject
from pipeline.clients.resumable import CHUNK, ResumableUpload
from pipeline.clients.retries import noted
from pipeline.errors import ArchiveDamaged, ArchiveUnavailable
from pipeline.settings import Settings
from pipeline.streams import background

Client = storage.Client

SERVICE: Final = "Cloud Storage"

# Else each client asks for its buckets, in threads that nobody ends, to name them in traces that nobody makes.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

PIECE: Final = CHUNK
"""Bytes that are uploaded, or read, at a time."""

READS: Final = 2
"""Pieces that are read at the same time: Cloud Storage takes its time over each request, not over its bytes. Two keep a
line of 40 MB/s busy where a request takes 50 ms; each further one would hold 8 MiB."""

CALL_SECONDS: Final = 60.0

CONNECTIONS: Final = 32
"""Connections that are kept open: more than are in use at a time, or each further request would make one of its own."""


class Bucket:
    """One bucket, within one invocation's time budget."""

    def __init__(self, client: storage.Client, name: str, budget: Budget) -> None:
        self.name = name
        self.handle = client.bucket(name)
        self._session = client._http
        self._budget = budget

    def create(self, name: str, content: bytes, content_type: str = "application/json") -> bool:
        """Write a small object that must not exist; False where another content exists.

        Where the answer to a create was lost, what stands there is ours. Raises ArchiveUnavailable, OutOfTime.
        """
        with self.mapped(name):
            try:
                self.handle.blob(name).upload_from_string(
                    content, content_type, if_generation_match=0, checksum="crc32c", **self.options()
                )
            except TAKEN as error:
                standing = self.read(name)
                if standing is None and isinstance(error, api.Forbidden):
                    raise
                return standing == content
            except ValueError:  # an answer that is none; the object may be there or not
                return self._stands(name, content)
        return True

    def _stands(self, name: str, content: bytes) -> bool:
        standing = self.read(name)
        if standing is None:
            raise ArchiveUnavailable(f"Cloud Storage gave no answer to the create of {self.name}/{name}.")
        return standing == content

    def put(self, name: str, content: bytes) -> StoredObject | None:
        """See objects.Target."""
        blob = self.handle.blob(name)
        try:
            blob.upload_from_string(
                content, "application/octet-stream", if_generation_match=0, checksum="crc32c", **self.options()
            )
        except NO_OBJECT:  # the object may be there or not
            return None
        return described(blob._properties, name)

    def begin(self, name: str) -> ResumableUpload:
        """An upload to an object that must not exist. Raises the client's errors."""
        url = self.handle.blob(name).create_resumable_upload_session(if_generation_match=0, **self.options())
        return ResumableUpload(self._session, url, self._budget, self._retry)

    def may_create(self, name: str) -> None:
        """Begin an upload and never finish it, which proves the permission and leaves no object behind.

        Raises ArchiveUnavailable with what to do.
        """
        with self.mapped(name):
            self.begin(name)

    def read(self, name: str) -> bytes | None:
        """A small object whole, with a digest of its own in it; None where there is none. Raises ArchiveUnavailable."""
        with self.mapped(name):
            try:
                content: bytes = self.handle.blob(name).download_as_bytes(checksum=None, **self.options())
            except api.NotFound as error:
                self._bucket_exists(error)
                return None
        return content

    def read_again(self, name: str) -> bytes | None:
        """As `read`, of the generation that the server describes, so that no cache answers."""
        described = self.stat(name)
        if described is None:
            return None
        return b"".join(self.pieces(described, max(described.size, 1)))

    def names(self, prefix: str) -> list[str]:
        """Every object under the prefix, in order of name. Raises ArchiveUnavailable."""
        return list(self.created(prefix))

    def created(self, prefix: str) -> dict[str, datetime]:
        """When each object under the prefix was created, by the server's own clock; in order of name.

        Raises ArchiveUnavailable.
        """
        with self.mapped(prefix):
            blobs = self.handle.client.list_blobs(self.handle, prefix=prefix, **self.options())
            return {blob.name: blob.time_created for blob in blobs}

    def first(self, prefix: str, suffix: str) -> str | None:
        """The first object under the prefix, in order of name, whose name ends so. Raises ArchiveUnavailable."""
        with self.mapped(prefix):
            blobs = self.handle.client.list_blobs(self.handle, prefix=prefix, **self.options())
            return next((str(blob.name) for blob in blobs if blob.name.endswith(suffix)), None)

    def creations(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Every object under the prefix, in order of name, and when it was created by the store's own clock.

        One after the other, so that a large bucket takes little memory. Raises ArchiveUnavailable.
        """
        with self.mapped(prefix):
            for blob in self.handle.client.list_blobs(
                self.handle, prefix=prefix, fields="items(name,timeCreated),nextPageToken", **self.options()
            ):
                yield blob.name, blob.time_created

    def listed(self, prefix: str) -> dict[str, StoredObject]:
        """What the server says of every object under the prefix, by name. Raises ArchiveUnavailable."""
        with self.mapped(prefix):
            blobs = self.handle.client.list_blobs(self.handle, prefix=prefix, **self.options())
            return {
                blob.name: StoredObject(blob.name, int(blob.generation), int(blob.size), str(blob.crc32c))
                for blob in blobs
            }

    def stat(self, name: str) -> StoredObject | None:
        """What the server says of an object; None where there is none. Raises ArchiveUnavailable."""
        with self.mapped(name):
            blob = self.handle.get_blob(name, **self.options())
            return None if blob is None else described(blob._properties, name)

    def write(self, name: str, chunks: Iterable[bytes]) -> StoredObject:
        """Write a stream to an object that must not exist. Raises as Copy's methods do."""
        copy = Copy(self, name)
        for _ in copy.passing(chunks):
            pass
        return copy.finished()

    def copy(self, name: str) -> Copy:
        """An object to be written while its content goes on to somebody else."""
        return Copy(self, name)

    def pieces(self, stored: StoredObject, size: int, digests: Sequence[str] = ()) -> Generator[bytes, None, None]:
        """The object's bytes in pieces of `size`, of just the generation that was recorded, in order.

        READS pieces are asked for at a time. With `digests`, the SHA-256 of each piece is compared before it is given
        away. A piece that is wrong is read once more. Raises ArchiveDamaged where it is wrong again or gone,
        ArchiveUnavailable, OutOfTime.
        """
        if digests and len(digests) != -(-stored.size // size):
            raise ArchiveDamaged(f"{stored.name} has {stored.size} bytes and {len(digests)} digests of {size} each.")
        under_way: deque[Future[bytes]] = deque()
        with background.pool("read", READS) as pool:
            try:
                for number, start in enumerate(range(0, stored.size, size)):
                    end = min(start + size, stored.size)
                    digest = digests[number] if digests else None
                    under_way.append(pool.submit(self._piece, stored, start, end, digest))
                    if len(under_way) == READS:
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                for unwanted in under_way:
                    unwanted.cancel()

    def _piece(self, stored: StoredObject, start: int, end: int, digest: str | None) -> bytes:
        for last in (False, True):
            piece = self._once(stored, start, end)
            if piece is None:
                problem = "the bucket has no such object"
            elif len(piece) != end - start:
                problem = f"{len(piece)} bytes of {start}-{end} were read"
            elif digest is not None and hashlib.sha256(piece).hexdigest() != digest:
                problem = f"the bytes {start}-{end} are others than were written: their SHA-256 differs"
            else:
                return piece
            if last:
                break
        raise ArchiveDamaged(
            f"{self.name}/{stored.name} generation {stored.generation}, {stored.size} bytes, is what the record names; "
            f"{problem}."
        )

    def _once(self, stored: StoredObject, start: int, end: int) -> bytes | None:
        blob = self.handle.blob(stored.name, generation=stored.generation)
        with self.mapped(stored.name):
            try:
                piece: bytes = blob.download_as_bytes(
                    start=start,
                    end=end - 1,
                    checksum=None,
                    single_shot_download=True,  # else read in steps of 8 KiB, at four times the processor time
                    **self.options(),
                )
            except (api.NotFound, api.RequestRangeNotSatisfiable):
                return None
        return piece

    def sha256(self, stored: StoredObject) -> str:
        """Digest of the object's bytes, all of them read. Raises as `pieces` does."""
        digest = hashlib.sha256()
        for piece in self.pieces(stored, PIECE):
            digest.update(piece)
        return digest.hexdigest()

    def options(self) -> dict[str, Any]:
        """Timeout and retry of one call: bounded by what is left of the invocation."""
        return {"timeout": self._budget.one_try(CALL_SECONDS), "retry": self._retry()}

    def _retry(self) -> Retry:
        """The client's own retry, for as long as the service is waited for."""
        return noted(DEFAULT_RETRY.with_delay(0.5, 10.0).with_timeout(self._budget.waiting()), SERVICE, self._budget)

    @contextmanager
    def mapped(self, name: str) -> Iterator[None]:
        """Turn the client's errors into ours, without its text, which may quote a content."""
        place = f"{self.name}/{name}"
        try:
            yield
        except api.Forbidden:
            raise ArchiveUnavailable(
                f"Cloud Storage refuses access to {place}; the function's account needs objectCreator and "
                "objectViewer on the bucket."
            ) from None
        except api.NotFound:
            raise ArchiveUnavailable(f"Cloud Storage does not find the bucket of {place}.") from None
        except transfer.InvalidResponse as error:
            raise ArchiveUnavailable(f"Cloud Storage answered {error.response.status_code} for {place}.") from None
        except transfer.DataCorruption:
            raise ArchiveUnavailable(f"{place} arrived with another checksum than Cloud Storage announced.") from None
        except api.GoogleAPICallError as error:
            raise ArchiveUnavailable(f"Cloud Storage broke off at {place}: {type(error).__name__}.") from None
        except NO_OBJECT as error:
            raise ArchiveUnavailable(f"Cloud Storage's answer for {place} is none: {type(error).__name__}.") from None
        except (api.RetryError, auth.GoogleAuthError, http.RequestException, TimeoutError, OSError) as error:
            raise unanswered(ArchiveUnavailable, SERVICE, place, error, self._budget) from None

    def _bucket_exists(self, error: api.NotFound) -> None:
        if "bucket" in str(error).lower() and "object" not in str(error).lower():
            raise error


class Connections:
    """What the runs of one process share: credentials and open connections. STORAGE_EMULATOR_HOST is the library's."""

    def __init__(self, settings: Settings) -> None:
        local = {"credentials": AnonymousCredentials()} if settings.storage_emulator_host else {}
        try:
            self._process = storage.Client(settings.google_cloud_project, **local)
        except auth.GoogleAuthError as error:
            raise ArchiveUnavailable(
                f"There are no credentials for Cloud Storage ({type(error).__name__}); on a terminal: "
                "gcloud auth application-default login."
            ) from None
        self._pool = HTTPAdapter(pool_maxsize=CONNECTIONS)

    def within(self, budget: Budget) -> storage.Client:
        """A client whose requests keep to the budget of one run."""
        credentials = self._process._credentials
        session = bounded_session(credentials, self._pool, budget)
        return storage.Client(self._process.project, credentials=credentials, _http=session)
