"""From the warehouse to the `sealed` record: one pass, bounded memory, nothing on disk, nothing sent.

    batches -> checks -> CSV -> archive -> sign+encrypt -> open again -> archive -> record

Only when rows read are rows planned, the control totals agree, the contract holds, gpg proved its work and what came
out when the file was opened again equals what went in, does the record `sealed` come to be. Else nothing does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import polars as pl

from pipeline import log
from pipeline.clients.counts import plain
from pipeline.contracts.dataset import Dataset
from pipeline.deliver.csvfile import csv_bytes
from pipeline.deliver.plan import refuse
from pipeline.deliver.rows import Checks, Findings
from pipeline.errors import OpenedDiffers, SourceChanged, during
from pipeline.keys import warn
from pipeline.messages import Request
from pipeline.pgp.encrypt import seal
from pipeline.pgp.keyring import Keyring, keyring
from pipeline.pgp.packets import without_recipient
from pipeline.pgp.reopen import Opener, opening
from pipeline.records.schema import Archived, Broken, Opened, Plan, PlannedPart, Sealed
from pipeline.run import VERSION, Run
from pipeline.streams.background import prefetch
from pipeline.streams.digest import PieceDigests, Tally
from pipeline.streams.progress import telling
from pipeline.window import Delivery

PIECE = 8 * 1024 * 1024
"""Bytes of one digest of the sealed file, and of one read when it is sent."""

PREFETCHED = 2
"""Pieces of CSV that may wait while others are archived and sealed: a few MB each, made of a frame."""


def prepare(delivery: Delivery, plan: Plan, part: PlannedPart, request: Request, run: Run) -> Sealed:
    """Extract, check, archive, seal and record one part; the record that holds, ours or a faster twin's.

    Raises RowsRefused (recorded), SourceChanged, SealFailed, OpenedDiffers, KeyUnusable, ArchiveUnavailable,
    ArchiveDamaged, OutOfTime: nothing is recorded then.
    """
    dataset, settings = run.dataset(delivery.slot.dataset), run.settings
    name = dataset.file_for(delivery, part.part, len(plan.parts))
    folder = f"{delivery.folder}/{run.attempt}"
    with (
        during("seal", str(delivery)),
        log.stage("seal", revision=delivery.revision, part=part.part, attempt=run.attempt) as figures,
        keyring(settings, run.credentials, run.budget) as keys,
        ExitStack() as ending,
    ):
        warn(keys, run)
        if part.keys < part.rows:
            twins = Broken(column=", ".join(dataset.key), rule="unique", rows=part.rows - part.keys, keys=())
            raise refuse(delivery, part.part, (twins,), request, run)
        checks = Checks(dataset, delivery.slot.window)
        plain_text, sealed_bytes = Tally(), Tally()
        digests = PieceDigests(PIECE)
        csv_copy = run.archive.copy(f"{folder}/{name}")

        batches = run.source.batches(
            dataset, delivery.slot.window, plan.snapshot, run.budget, part=part.part, parts=len(plan.parts)
        )
        batches = telling(batches, "rows", part.rows, run.observe)
        frames = _as_planned(checks.checking(batches), checks, dataset, part)
        pieces = telling(csv_bytes(frames, dataset), "bytes", None, run.observe)
        made = ending.enter_context(prefetch(pieces, PREFETCHED))
        csv = csv_copy.passing(plain_text.watching(made))
        opener = ending.enter_context(opening(keys, run.budget)) if settings.pgp_reopen else None
        extra = (opener.recipient,) if opener else ()
        sealed = seal(csv, keys, compression=settings.pgp_compression, budget=run.budget, extra=extra)
        ending.enter_context(closing(sealed))
        message = without_recipient(opener.watching(sealed), opener.key_ids) if opener else sealed
        try:
            stored = run.archive.write(f"{folder}/{name}.pgp", digests.watching(sealed_bytes.watching(message)))
        except _ContractBroken as broken:
            raise refuse(delivery, part.part, broken.rules, request, run) from None
        opened = _same(opener, keys, plain_text) if opener else None
        assert csv_copy.stored is not None

        record = Sealed(
            created=run.now(),
            version=VERSION,
            part=part.part,
            attempt=run.attempt,
            file_name=f"{name}.pgp",
            rows=checks.findings.rows,
            csv=Archived.of(csv_copy.stored, plain_text.sha256),
            sealed=Archived.of(stored, sealed_bytes.sha256),
            piece_size=PIECE,
            piece_sha256=digests.digests,
            recipient=keys.partner.fingerprint,
            signer=keys.signing.fingerprint if keys.signing else None,
            keys={key.secret: key.secret_version for key in (keys.partner, keys.signing) if key},
            opened=opened,
        )
        record, _ = run.records.create(delivery, f"sealed-{part.part}", record)
        figures.add(rows=checks.findings.rows, bytes=plain_text.bytes, sealed_bytes=sealed_bytes.bytes)
    return record


def _same(opener: Opener, keys: Keyring, plain_text: Tally) -> Opened:
    """What came out equals what went in, signed as it should be. Raises OpenedDiffers."""
    found = opener.plaintext(keys.signing.signers if keys.signing else ())
    if (found.sha256, found.size) != (plain_text.sha256, plain_text.bytes):
        raise OpenedDiffers(
            f"{plain_text.bytes} bytes with SHA-256 {plain_text.sha256} were sealed; {found.size} bytes with "
            f"{found.sha256} came out."
        )
    return Opened(sha256=found.sha256, size=found.size, signer=found.signer)


class _ContractBroken(Exception):
    """Ends the stream from inside, so that no end of file is ever seen by what follows."""

    def __init__(self, rules: tuple[Broken, ...]) -> None:
        super().__init__("rows break the contract")
        self.rules = rules


def _as_planned(
    frames: Iterator[pl.DataFrame], checks: Checks, dataset: Dataset, part: PlannedPart
) -> Iterator[pl.DataFrame]:
    """The same frames; at their end, before anybody takes it for the end of the file, the verdict on all of them."""
    yield from frames
    findings = checks.findings
    if findings.violations:
        raise _ContractBroken(
            tuple(
                Broken(column=found.column, rule=found.rule, rows=found.rows, keys=found.keys)
                for found in findings.violations
            )
        )
    if findings.rows != part.rows:
        raise SourceChanged(f"The plan counted {part.rows} rows at its snapshot; {findings.rows} were read.")
    found = _totals(findings, dataset)
    if found != dict(part.totals):
        names = ", ".join(name for name in found if found[name] != part.totals.get(name))
        raise SourceChanged(f"The control totals of the rows read differ from the plan's: {names}.")


def _totals(findings: Findings, dataset: Dataset) -> dict[str, str | None]:
    return {str(total): plain(findings.totals.get(str(total))) for total in dataset.totals}
