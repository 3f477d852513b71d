"""`evidence`: a period for an auditor, as one signed archive."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pipeline.cli.session import ATTENTION, OK, Session, operator, window_options

if TYPE_CHECKING:
    from pipeline.evidence.access import Access
    from pipeline.evidence.report import Report
    from pipeline.pgp.keyring import Signing
    from pipeline.run import Run
    from pipeline.window import Window

AN_HOUR: Final = 3600.0
"""Seconds that it may take: a quarter has some ten thousands of records."""


@click.command(short_help="A period for an auditor, as one signed archive.")
@window_options
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The zip file to write."
)
@click.option(
    "--key", "keys", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A public signing key of ours that was in use earlier; may stand twice.",
)  # fmt: skip
@click.option(
    "--access-log", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Who read secrets, as `gcloud logging read --format=json` prints it; the report has the command.",
)  # fmt: skip
@operator
def command(
    session: Session,
    start: str | None,
    end: str | None,
    datasets: tuple[str, ...],
    output: Path,
    keys: tuple[Path, ...],
    access_log: Path | None,
) -> int:
    """Write what the records prove of a period into one zip file, signed with our PGP key.

    Inside: a report in plain words (index.html), a line for every hour, certificates and all other records as they are
    stored, the ledger's pages with their signatures, and README.txt, which says how to check all of it with gpg and
    sha256sum alone. No rows and no private key. It reads our signing key, so act as the function. The same records give
    the same bytes, but for the signature.

    Exit code 1 where a delivery of the period needs attention, or the ledger is contradicted.

    \b
    Examples:
      python -m pipeline evidence --start 2026-11-01T00:00:00Z --end 2026-12-01T00:00:00Z -o november.zip
      python -m pipeline evidence --start 2026-11-01 --end 2026-12-01 --key old.asc --access-log access.json -o all.zip
    """
    from pipeline.cli.files import whole
    from pipeline.evidence.packing import pack
    from pipeline.evidence.report import banner, ledger
    from pipeline.pgp.keyring import signing_key
    from pipeline.pgp.signature import detached

    if start is None:
        raise click.UsageError("Name the period: --start TIME --end TIME.")
    request = session.request("certify", start, end, datasets)
    assert request.window is not None
    accesses = None if access_log is None else _accesses(access_log, request.window)
    run = session.run(seconds=AN_HOUR)
    with whole(output) as file, signing_key(run.settings, run.credentials) as ours:
        report, public_keys = _report(session, request.window, request.datasets, ours, keys, accesses, run)
        pack(report, public_keys, partial(detached, keys=ours), file)
        size = file.tell()
    wrong = any(account.open for account in report.figures.accounts)
    proof = report.gathered.proof
    if session.as_json:
        shown = {"figures": dataclasses.asdict(report.figures), "proof": proof and dataclasses.asdict(proof)}
        session.write({"file": str(output), "bytes": size, **shown})
    else:
        session.say(f"{output}: {size:,} bytes, signed by {ours.signing.fingerprint if ours.signing else 'nobody'}.")
        session.say(f"{banner(report.figures.accounts)}.")
        session.say(ledger(proof))
    return ATTENTION if wrong or (proof is not None and proof.verified.findings) else OK


def _report(
    session: Session,
    window: Window,
    datasets: tuple[str, ...],
    ours: Signing,
    keys: tuple[Path, ...],
    accesses: tuple[Access, ...] | None,
    run: Run,
) -> tuple[Report, dict[str, bytes]]:
    """The report, and the public keys by their fingerprints, ours of today first."""
    from pipeline import VERSION
    from pipeline.cli.progress import bar
    from pipeline.evidence import access
    from pipeline.evidence.figures import figures
    from pipeline.evidence.gathering import gather
    from pipeline.evidence.report import Report
    from pipeline.keys import pgp_keys
    from pipeline.pgp.keyring import MESSAGE

    public_keys = ours.public_keys([key.read_bytes() for key in keys])
    with bar(session, "records") as observe:
        gathered = gather(datasets, window, list(public_keys.values()), run, observe)
    settings = run.settings
    return Report(
        project=settings.google_cloud_project,
        partner=settings.sftp_host,
        gathered=gathered,
        figures=figures(gathered, run.now()),
        keys=pgp_keys(run),
        cipher=MESSAGE,
        accesses=accesses,
        command=access.command(settings.google_cloud_project, window),
        version=VERSION,
    ), public_keys


def _accesses(path: Path, window: Window) -> tuple[Access, ...]:
    from pipeline.evidence.access import NotALog, accesses

    try:
        return accesses(path.read_bytes(), window)
    except NotALog as error:
        raise click.UsageError(f"--access-log {path}: {error}") from None
