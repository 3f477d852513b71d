"""From the `sealed` record to the `delivered` record: the archived bytes, and no others, go to the partner."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Final

from pipeline.budget import Budget
from pipeline.clients import sftp
from pipeline.clients.connection import CLEANUP_SECONDS, Loop
from pipeline.deliver.pace import Pace
from pipeline.errors import ArchiveDamaged, OutOfTime, PipelineError
from pipeline.records.folder import Folder
from pipeline.records.schema import Delivered, Sealed, Sending
from pipeline.run import Run
from pipeline.streams.background import Preparation

Pieces = Generator[bytes, None, None]

READINGS: Final = 2
"""How often bytes are read before they count as damaged: once may be the reading's fault."""


def upload(
    folder: Folder,
    sealed: Sealed,
    run: Run,
    *,
    cause: str,
    pieces: Pieces | None = None,
    line: Preparation[Loop] | None = None,
) -> None:
    """Upload one sealed part, confirm it, and record it. `pieces`: its bytes as `checked` gives them, if it did.
    `line`: a connection that is being opened already.

    Raises ArchiveDamaged before anything is sent, PartnerUntrusted, PartnerRefused, PartnerUnavailable,
    UploadDiffers, UploadTooSlow, ArchiveUnavailable, OutOfTime.
    """
    settings = run.settings
    with run.stage("upload", folder.delivery, part=sealed.part) as figures:
        if pieces is None:
            _still_as_recorded(sealed, run)
            pieces = checked(sealed, run)
        opened = line.ready() if line is not None else None
        server = opened.server if opened is not None else run.partner()
        intent = Sending(part=sealed.part, attempt=run.attempt)
        folder.announce(intent)
        pace = Pace(sealed.sealed.size, sealed.piece_size)
        with closing(pieces):
            try:
                placed = sftp.put(
                    pace.timing(pieces),
                    server,
                    sealed.file_name,
                    attempt=run.attempt,
                    rename=settings.sftp_publish == "rename",
                    is_alone=partial(_is_alone, folder, sealed.part, run),
                    sweep=bool(folder.attempts(sealed.part)),
                    line=opened,
                )
            except OutOfTime as error:
                raise pace.judged(error, run.budget.seconds, _failed(folder, sealed.part) + 1) from None
        late = (run.now() - folder.delivery.slot.window.end).total_seconds()
        figures.add(
            rows=sealed.rows,
            bytes=placed.bytes,
            late_seconds=late,
            confirmation=placed.confirmation,
            **dataclasses.asdict(placed.protection),
        )
        assert sealed.sealed.sha256 is not None
        record = Delivered(
            part=sealed.part,
            attempt=run.attempt,
            cause=cause,
            began=intent.created,
            file_name=sealed.file_name,
            size=placed.bytes,
            sha256=sealed.sealed.sha256,
            publish=settings.sftp_publish,
            confirmation=placed.confirmation,
            host_key=placed.host_key,
            protection=placed.protection,
            late_seconds=late,
        )
        folder.add_delivered(record)


def _failed(folder: Folder, part: int) -> int:
    """How many attempts at uploading the part were announced and did not succeed."""
    return len(set(folder.attempts(part)) - {delivered.attempt for delivered in folder.deliveries(part)})


def is_settled(folder: Folder, part: int, *, cause: str, resend: bool) -> bool:
    """Whether the part is at the partner whole, no open attempt can replace it, and nothing more is asked for."""
    deliveries = folder.deliveries(part)
    if not deliveries or folder.open_attempts(part, deliveries):
        return False
    return not resend or any(delivered.cause == cause for delivered in deliveries)


def _is_alone(folder: Folder, part: int, run: Run) -> bool:
    """Whether no attempt but this one is announced, asked anew: else the final name may be another's.

    Where the store does not answer within the time for cleaning up, nobody knows, and nothing is removed.
    """
    last = replace(run, budget=Budget.of(CLEANUP_SECONDS))
    delivery = folder.delivery
    try:
        return set(last.records.folder(delivery.slot).revision(delivery.revision).attempts(part)) <= {run.attempt}
    except PipelineError:
        return False


def _still_as_recorded(sealed: Sealed, run: Run) -> None:
    """Both archived objects are the recorded ones, as the server describes them. Raises ArchiveDamaged.

    What another invocation has sealed may have lain there for long: then the CSV is read whole. The sealed file is not,
    as each piece of it is compared when it leaves.
    """
    for archived in (sealed.csv, sealed.sealed):
        described = run.archive.stat(archived.name)
        if not archived.is_still(described):
            described = run.archive.stat(archived.name)  # a single bad answer is no damage
        if not archived.is_still(described):
            raise ArchiveDamaged(
                f"The record describes {archived.name} with {archived.size} bytes, crc32c {archived.crc32c}, "
                f"generation {archived.generation}; the bucket holds {described or 'no such object'}."
            )
    csv = sealed.csv
    if sealed.attempt != run.attempt and not any(run.archive.sha256(csv) == csv.sha256 for _ in range(READINGS)):
        raise ArchiveDamaged(f"The bytes of {csv.name} are not those that were archived: SHA-256 differs.")


def checked(sealed: Sealed, run: Run) -> Pieces:
    """The archived bytes, each piece compared with its recorded digest before it is given away; the first one now.

    Raises ArchiveDamaged, ArchiveUnavailable, OutOfTime.
    """
    pieces = run.archive.pieces(sealed.sealed, sealed.piece_size, sealed.piece_sha256)
    first = next(pieces, b"")

    def counted() -> Generator[bytes, None, None]:
        with closing(pieces):
            for piece in itertools.chain([first], pieces):
                run.observe("sent", len(piece), sealed.sealed.size)
                yield piece

    return counted()
