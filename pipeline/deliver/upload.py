"""From the `sealed` record to the `delivered` record: the archived bytes, and no others, go to the partner."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final

from pipeline import log
from pipeline.clients import sftp
from pipeline.errors import ArchiveDamaged, ArchiveUnavailable, during
from pipeline.messages import Request
from pipeline.records.schema import Delivered, Sealed, Sending
from pipeline.records.store import Folder
from pipeline.run import VERSION, Run
from pipeline.window import Delivery

LIFETIME: Final = timedelta(hours=1)
"""No invocation lives longer: the platform allows 9 minutes to a triggered function, an hour to any other."""


def send(delivery: Delivery, sealed: Sealed, request: Request, folder: Folder, run: Run) -> Delivered | None:
    """Upload one sealed part, confirm it, and record it; None where that was done before and is not asked for again.

    `folder` is a listing of the slot's records. Raises ArchiveDamaged before anything is sent, PartnerUntrusted,
    PartnerRefused, PartnerUnavailable, UploadDiffers, ArchiveUnavailable, OutOfTime.
    """
    if _settled(delivery, sealed, request, folder, run):
        return None
    settings, began = run.settings, run.now()
    with (
        during("upload", str(delivery)),
        log.stage("upload", revision=delivery.revision, part=sealed.part, attempt=run.attempt) as figures,
    ):
        _still_as_recorded(sealed, run)
        server = run.partner()
        intent = Sending(created=began, version=VERSION, part=sealed.part, attempt=run.attempt)
        run.records.create(delivery, f"sending-{sealed.part}-{run.attempt}", intent)
        with closing(_checked(sealed, run)) as pieces:
            placed = sftp.put(
                pieces,
                server,
                sealed.file_name,
                attempt=run.attempt,
                rename=settings.sftp_publish == "rename",
                budget=run.budget,
            )
        figures.add(rows=sealed.rows, bytes=placed.bytes, confirmation=placed.confirmation)
        record = Delivered(
            created=run.now(),
            version=VERSION,
            part=sealed.part,
            attempt=run.attempt,
            cause=request.cause,
            began=began,
            file_name=sealed.file_name,
            size=placed.bytes,
            sha256=sealed.sealed.sha256,
            publish=settings.sftp_publish,
            confirmation=placed.confirmation,
            host_key=placed.host_key,
        )
        return _recorded(delivery, record, folder, run)


def _settled(delivery: Delivery, sealed: Sealed, request: Request, folder: Folder, run: Run) -> bool:
    """Whether the part is at the partner whole, and this request asks for nothing more.

    An upload that broke off may have left half a file, under the final name or a temporary one, even after another
    attempt had succeeded: so an attempt that began and has no `delivered` record counts against it, until an attempt
    that began after the first one must have ended was successful.
    """
    numbers = [number for part, number in folder.numbers(delivery.revision, "delivered") if part == sealed.part]
    if not numbers:
        return False
    done = [_delivered(delivery, sealed.part, number, run) for number in numbers]
    finished = {one.attempt for one in done}
    last_began = max(one.began for one in done)
    for attempt in folder.attempts(delivery.revision, "sending", sealed.part):
        if attempt not in finished and _began(delivery, sealed.part, attempt, run) > last_began - LIFETIME:
            return False
    return not request.resend or any(one.cause == request.cause for one in done)


def _delivered(delivery: Delivery, part: int, number: int, run: Run) -> Delivered:
    record = run.records.read(delivery, f"delivered-{part}-{number}", Delivered)
    if record is None:
        raise ArchiveUnavailable(f"The record delivered-{part}-{number} of {delivery} was listed and is gone.")
    return record


def _began(delivery: Delivery, part: int, attempt: str, run: Run) -> datetime:
    record = run.records.read(delivery, f"sending-{part}-{attempt}", Sending)
    return record.created if record else run.now()


def _still_as_recorded(sealed: Sealed, run: Run) -> None:
    """Both archived objects are the recorded ones. Raises ArchiveDamaged.

    The server's description is compared; and what another invocation has sealed is read whole, since the bytes may
    have lain there for long. Ours were checked by the server as it took them, a moment ago.
    """
    for archived in (sealed.csv, sealed.sealed):
        stored = run.archive.stat(archived.name)
        if not archived.describes(stored):
            raise ArchiveDamaged(
                f"The record describes {archived.name} with {archived.size} bytes, crc32c {archived.crc32c}, "
                f"generation {archived.generation}; the bucket holds {stored or 'no such object'}."
            )
        if sealed.attempt != run.attempt and run.archive.sha256(archived.stored) != archived.sha256:
            raise ArchiveDamaged(f"The bytes of {archived.name} are not those that were archived: SHA-256 differs.")


def _checked(sealed: Sealed, run: Run) -> Generator[bytes, None, None]:
    """The archived bytes, each piece compared with its recorded digest before it is given away."""
    stored = run.archive.pieces(sealed.sealed.stored, sealed.piece_size)
    for number, (piece, digest) in enumerate(zip(stored, sealed.piece_sha256, strict=True)):
        if hashlib.sha256(piece).hexdigest() != digest:
            raise ArchiveDamaged(
                f"Piece {number} of {sealed.sealed.name} is not what was sealed: its SHA-256 differs from the record's."
            )
        run.observe("sent", len(piece), sealed.sealed.size)
        yield piece


def _recorded(delivery: Delivery, record: Delivered, folder: Folder, run: Run) -> Delivered:
    """Record the delivery under the next free number."""
    numbers = [number for part, number in folder.numbers(delivery.revision, "delivered") if part == record.part]
    number = max(numbers, default=0)
    while True:
        number += 1
        _, ours = run.records.create(delivery, f"delivered-{record.part}-{number}", record)
        if ours:
            return record
