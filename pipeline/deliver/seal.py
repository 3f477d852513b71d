"""From the warehouse to the `sealed` record: one pass, bounded memory, nothing on disk, nothing sent.

    batches -> checks -> CSV -> archive -> sign and encrypt -> open again -> archive -> record

Only when rows read are rows planned, the control totals agree, the contract holds, gpg proved its work and what came
out when the file was opened again equals what went in, does the record `sealed` come to be. Else nothing does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Final

import polars as pl

from pipeline.clients.counts import PartCount, plain
from pipeline.clients.storage import StoredObject
from pipeline.contracts.dataset import Dataset
from pipeline.deliver.csvfile import csv_bytes
from pipeline.deliver.rows import Checks, Findings
from pipeline.errors import OpenedDiffers, RowsRefused, SourceChanged
from pipeline.keys import warn
from pipeline.pgp.encrypt import encrypt
from pipeline.pgp.keyring import Keyring, keyring
from pipeline.pgp.packets import without_recipient
from pipeline.pgp.reopen import Opener, opening
from pipeline.records.folder import Folder
from pipeline.records.schema import Opened, Plan, Refused, Sealed, Violation
from pipeline.records.sentences import refusal
from pipeline.run import Run
from pipeline.streams.background import Preparation, prefetch
from pipeline.streams.digest import PieceDigests
from pipeline.streams.progress import telling

PIECE: Final = 8 * 1024 * 1024
"""Bytes of one digest of the sealed file, and of one read when it is sent."""

PREFETCHED: Final = 1
"""Pieces of CSV that may wait while others are archived and sealed: a few MB each, made of a frame."""


Keys = tuple[Keyring, Opener | None]


@contextmanager
def sealing_keys(run: Run) -> Iterator[Keys]:
    """The keys of this moment, and the throw-away key that opens what they sealed; both are gone afterwards.

    Raises KeyUnusable, CredentialsUnavailable, SealFailed.
    """
    with keyring(run.settings, run.credentials, run.deployment.tried_keys) as keys:
        if not run.settings.pgp_reopen:
            yield keys, None
            return
        with opening(keys, run.budget) as opener:
            yield keys, opener


def seal(
    folder: Folder,
    plan: Plan,
    part: PartCount,
    run: Run,
    prepared: Preparation[Keys],
    *,
    cause: str,
    record: Callable[[Sealed], Sealed],
) -> Sealed:
    """Extract, check, archive, sign and encrypt one part, and have it recorded by `record`, which gives the record that
    holds: ours or that of an attempt which was first. `prepared`, the keys as `sealing_keys` makes them, is closed.

    Raises RowsRefused (recorded), SourceChanged, SealFailed, OpenedDiffers, KeyUnusable, ArchiveUnavailable,
    ArchiveDamaged, OutOfTime: nothing is recorded then.
    """
    delivery, settings = folder.delivery, run.settings
    dataset = run.contracts.of(plan)
    name = dataset.file_for(delivery, part.part, len(plan.parts))
    directory = f"{delivery.folder}/{run.attempt}"
    with (
        run.stage("seal", delivery, part=part.part) as figures,
        ExitStack() as ending,
    ):
        ending.callback(prepared.close)
        keys, opener = prepared.ready()
        warn(keys, run)
        if part.keys < part.rows:
            duplicates = Violation(", ".join(dataset.key), "unique", part.rows - part.keys, ())
            raise _refuse(folder, Refused(part=part.part, cause=cause, rules=(duplicates,)), dataset, run)
        checks = Checks(dataset, delivery.slot.window)
        digests = PieceDigests(PIECE)
        csv_copy = run.archive.copy(f"{directory}/{name}")

        batches = run.source.batches(
            dataset,
            delivery.slot.window,
            plan.snapshot,
            part=part.part,
            parts=len(plan.parts),
            rows_bytes=part.bytes,
        )
        batches = telling(batches, "rows", part.rows, run.observe)
        frames = _as_planned(checks.checking(batches), checks, dataset, part)
        pieces = telling(csv_bytes(frames, dataset), "bytes", None, run.observe)
        csv = csv_copy.passing(ending.enter_context(prefetch(pieces, PREFETCHED)))
        ending.callback(csv_copy.abandon)
        extra = (opener.recipient,) if opener else ()
        sealed = encrypt(csv, keys, compression=settings.pgp_compression, budget=run.budget, extra=extra)
        ending.enter_context(closing(sealed))
        message = without_recipient(opener.decrypting(sealed), opener.key_ids) if opener else sealed
        try:
            stored = run.archive.write(f"{directory}/{name}.pgp", digests.counting(message))
        except _ContractBroken as broken:
            refused = Refused(part=part.part, cause=cause, rules=broken.violations)
            raise _refuse(folder, refused, dataset, run) from None
        archived = csv_copy.finished()

        made = Sealed(
            part=part.part,
            attempt=run.attempt,
            file_name=f"{name}.pgp",
            rows=checks.findings.rows,
            csv=archived,
            sealed=stored,
            piece_size=PIECE,
            piece_sha256=digests.digests,
            recipient=keys.partner.fingerprint,
            signer=keys.signing.fingerprint if keys.signing else None,
            keys={key.secret: key.secret_version for key in (keys.partner, keys.signing) if key},
            opened=_same(opener, keys, archived) if opener else None,
            contract=dataset.version,
            contract_sha256=dataset.sha256,
        )
        holds = record(made)
        figures.add(rows=made.rows, bytes=made.csv.size, sealed_bytes=made.sealed.size)
    return holds


def _refuse(folder: Folder, record: Refused, dataset: Dataset, run: Run) -> RowsRefused:
    """Record that the rows broke the contract, and give the error to raise."""
    report = "; ".join(refusal(record, dataset))
    run.alarm("rows.refused", f"{folder.delivery}: {report}", revision=folder.delivery.revision, part=record.part)
    folder.refuse(record)
    return RowsRefused(f"Rows break the contract: {report}. Hashed keys are in the record.")


def _same(opener: Opener, keys: Keyring, csv: StoredObject) -> Opened:
    """What came out equals what went in, signed as it should be. Raises OpenedDiffers."""
    opened = opener.plaintext(keys.signing.signers if keys.signing else ())
    if (opened.sha256, opened.size) != (csv.sha256, csv.size):
        raise OpenedDiffers(
            f"{csv.size} bytes with SHA-256 {csv.sha256} were sealed; {opened.size} bytes with {opened.sha256} came "
            "out."
        )
    return opened


class _ContractBroken(Exception):
    """Ends the stream from inside, so that no end of file is ever seen by what follows."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("rows break the contract")
        self.violations = violations


def _as_planned(
    frames: Iterator[pl.DataFrame], checks: Checks, dataset: Dataset, part: PartCount
) -> Iterator[pl.DataFrame]:
    """The same frames; at their end, before anybody takes it for the end of the file, the verdict on all of them."""
    yield from frames
    findings = checks.findings
    if findings.violations:
        raise _ContractBroken(findings.violations)
    if findings.rows != part.rows:
        raise SourceChanged(f"The plan counted {part.rows} rows at its snapshot; {findings.rows} were read.")
    totals = _totals(findings, dataset)
    if totals != dict(part.totals):
        names = ", ".join(name for name in totals if totals[name] != part.totals.get(name))
        raise SourceChanged(f"The control totals of the rows read differ from the plan's: {names}.")


def _totals(findings: Findings, dataset: Dataset) -> dict[str, str | None]:
    return {str(total): plain(findings.totals.get(str(total))) for total in dataset.totals}
