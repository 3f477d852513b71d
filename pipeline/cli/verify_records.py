"""`verify-records`: walk the ledger of a copy of the records bucket, without a network."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.session import ATTENTION, OK, Session, operator, plain

if TYPE_CHECKING:
    from pipeline.records.audit import Verified


@click.command(short_help="Walk the ledger of a copy of the records bucket, offline.")
@click.argument("copy", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--key", "keys", required=True, multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Our public signing key; name each that was in use.",
)  # fmt: skip
@click.option("--start", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"]), help="First hour.")
@click.option("--end", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"]), help="Where it ends.")
@operator
def command(session: Session, copy: Path, keys: tuple[Path, ...], start: datetime | None, end: datetime | None) -> int:
    """Compare every record in COPY, a copy of the records bucket, with the signed pages of the ledger in it.

    Names each record that is missing, added, altered, created twice or dated otherwise, and every page that is
    missing, not signed by one of the keys, or does not follow the page before. Needs no settings and no network. Exit
    code 1 where anything is found.

    \b
    Examples:
      gcloud storage rsync --recursive gs://RECORDS records
      python -m pipeline verify-records records --key signing-key.asc
      python -m pipeline verify-records records --key old.asc --key new.asc --start 2026-11-01T00:00:00Z
    """
    from pipeline.pgp.signature import verifier
    from pipeline.records.audit import verify

    contents = {str(path.relative_to(copy)): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with verifier([key.read_bytes() for key in keys]) as is_signed:
        verified = verify(contents, is_signed, start=_utc(start), end=_utc(end))
    if session.as_json:
        session.write(dataclasses.asdict(verified))
    else:
        _show(session, verified)
    return ATTENTION if verified.findings or not verified.pages else OK


def _utc(instant: datetime | None) -> datetime | None:
    from datetime import UTC

    return None if instant is None else instant.replace(tzinfo=instant.tzinfo or UTC)


def _show(session: Session, verified: Verified) -> None:
    for finding in verified.findings:
        session.say(f"[red]{finding.kind}[/] {plain(finding.name)}: {plain(finding.detail)}")
    kinds = Counter(finding.kind for finding in verified.findings)
    result = ", ".join(f"{count} x {kind}" for kind, count in kinds.items()) or "nothing contradicts the ledger"
    session.say(f"{verified.pages} pages, {verified.records} records: {result}.")
    if verified.until is not None:
        session.say(
            f"The ledger ends at {verified.until:%Y-%m-%d %H:%M} UTC; give --end where it should reach further."
        )
    if verified.newer:
        session.say(f"{verified.newer} records are later than the last page; nothing vouches for them yet.")
    if not verified.pages:
        session.say("There is no page of a ledger in this copy.")
