"""`open`: a sealed or archived file, for an audit, by those who hold the key."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

import click

from pipeline.cli.files import whole
from pipeline.cli.session import OK, PERMANENT, Session, operator

VARIABLE: Final = "OPEN_PASSPHRASE"


@click.command(short_help="Open a sealed or archived file, for an audit.")
@click.argument("file", metavar="FILE|gs://BUCKET/NAME")
@click.option("--key", type=click.Path(path_type=Path), help="Private PGP key that the file is encrypted to.")
@click.option("--signer", type=click.Path(path_type=Path), help="Public key of the signer; else our signing secret.")
@click.option("--unsigned", is_flag=True, help="The file carries no signature (PGP_SIGN is false).")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write there instead of stdout.")
@operator
def command(
    session: Session, file: str, key: Path | None, signer: Path | None, unsigned: bool, output: Path | None
) -> int:
    """Open FILE, or an object of the archive, and write its content to stdout or --output.

    A sealed file (.pgp) is encrypted to the partner, so it takes the partner's private key: --key. Its passphrase is
    read from OPEN_PASSPHRASE, else asked for. Nothing is written before the signature was found good; on stderr it is
    said who signed. An archived CSV is given as it is, after it was compared with the SHA-256 in its record.

    Exit code 4 where the file cannot be opened or its signature is not good. With --json, --output is needed.

    \b
    Examples:
      python -m pipeline open payments_20261123T130000Z.csv.pgp --key partner.asc --signer ours.asc --output p.csv
      python -m pipeline open gs://ARCHIVE/payments/2026/11/23/1300/r1/0123456789ab/payments.csv
    """
    from pipeline.cli.decryption import NotOpened, is_sealed, opened

    if session.as_json and output is None:
        raise click.UsageError("--json says on stdout what was opened, so the content needs --output.")
    try:
        with ExitStack() as ending:
            source, proof = ending.enter_context(_source(file, session))
            if is_sealed(source):
                private = _read(key, "The file is sealed. Name the private key that it is encrypted to: --key FILE.")
                public = None if unsigned else _signer(signer, session)
                content = ending.enter_context(opened(source, private, public, _passphrase()))
                source, proof = content.file, "; ".join(filter(None, (content.proof, proof)))
            size = _give(source, output)
    except NotOpened as error:
        click.echo(f"Error [not-opened] {error}", err=True)
        if session.as_json:
            session.write({"error": {"code": "not-opened", "message": str(error), "retryable": False}})
        return PERMANENT
    proof = proof or "nothing vouches for it: a CSV of this machine carries no signature"
    if session.as_json:
        session.write({"file": file, "output": str(output), "bytes": size, "proof": proof})
    else:
        click.echo(f"{size:,} bytes; {proof}.", err=True)
    return OK


@contextmanager
def _source(file: str, session: Session) -> Iterator[tuple[IO[bytes], str | None]]:
    from pipeline.cli.decryption import archived, local

    if file.startswith("gs://"):
        bucket, _, name = file.removeprefix("gs://").partition("/")
        if not name:
            raise click.UsageError("An object is named gs://BUCKET/NAME.")
        with archived(bucket, name, session.run()) as content:
            yield content
    else:
        with local(Path(file)) as opened:
            yield opened, None


def _read(path: Path | None, advice: str) -> bytes:
    if path is None:
        raise click.UsageError(advice)
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _signer(path: Path | None, session: Session) -> bytes:
    """The key that must have signed: a file, or the one that the function signs with."""
    if path is not None:
        return _read(path, "")
    run = session.run()
    return run.credentials.read(run.settings.signing_key_secret).value


def _passphrase() -> str | None:
    if VARIABLE in os.environ:
        return os.environ[VARIABLE] or None
    if not sys.stdin.isatty():
        return None
    return str(click.prompt("Passphrase of the key (empty: none)", hide_input=True, default="", err=True)) or None


def _give(content: IO[bytes], output: Path | None) -> int:
    """Copy all of it; the number of bytes. An output file appears whole, readable by its owner alone."""
    if output is None:
        shutil.copyfileobj(content, sys.stdout.buffer)
        sys.stdout.flush()
        return content.tell()
    with whole(output) as file:
        shutil.copyfileobj(content, file)
    return content.tell()
