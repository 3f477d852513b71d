"""Open a sealed or archived file for an audit: what it holds, and what proves that it is ours.

A sealed file is a message to the partner alone, so whoever opens it brings the partner's private key. No content is
given out before the whole file was read and its signature, or the digest in its record, was verified.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from pipeline.clients.material import cleaned
from pipeline.errors import ArchiveDamaged
from pipeline.pgp.home import Gpg, gnupghome
from pipeline.pgp.status import Decryption, Problem
from pipeline.run import Run

READ: Final = 8 * 1024 * 1024
ARMOR: Final = b"-----BEGIN PGP MESSAGE-----"
_SENTENCES: Final[dict[Problem, str]] = {
    "not decrypted": "The passphrase is not that of the key.",
    "damaged": "gpg cannot open the file; it is damaged, or not a message to this key.",
    "bad signature": "The signature is bad: this is not the file that was sealed.",
    "expired signature": "The signature has expired and proves nothing any more.",
    "expired signer": "The file is signed by a key that has expired.",
    "revoked signer": "The file is signed by a key that is revoked; such a signature proves nothing.",
    "unknown signer": "The file is signed, but not by the signer's key that was given.",
    "another signer": "The file is signed, but not by the signer's key that was given.",
    "not signed": "The file carries no signature, and one by the signer's key was expected.",
    "several signatures": "The file carries several signatures, and one was expected.",
}


class NotOpened(Exception):
    """The file cannot be opened, or its proof is missing or bad; the message says which."""


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The plain content in a temporary file, and in words what proves that it is ours."""

    file: IO[bytes]
    size: int
    proof: str


@contextmanager
def local(path: Path) -> Iterator[IO[bytes]]:
    """A file of this machine, open for reading. Raises NotOpened."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise NotOpened(f"{path} cannot be read: {error.strerror}.") from None


@contextmanager
def archived(bucket: str, name: str, run: Run) -> Iterator[tuple[IO[bytes], str | None]]:
    """An object of a bucket in a temporary file, and, for an object of the archive, what its record says of it.

    Raises NotOpened where there is no such object, ArchiveDamaged where it is not the one that its record describes,
    ArchiveUnavailable, RecordDamaged.
    """
    place = run.bucket(bucket)
    stored = place.stat(name)
    if stored is None:
        raise NotOpened(f"There is no object gs://{bucket}/{name}.")
    digest = hashlib.sha256()
    with tempfile.TemporaryFile() as file:
        for piece in place.pieces(stored, READ):
            digest.update(piece)
            file.write(piece)
        recorded = run.records.archived(name) if bucket == run.settings.archive_bucket else None
        expected = recorded.sha256 if recorded else None
        if expected is not None and expected != digest.hexdigest():
            raise ArchiveDamaged(f"gs://{bucket}/{name} has another SHA-256 than its record says.")
        file.seek(0)
        yield file, None if expected is None else f"SHA-256 {expected} is that of its sealed record"


def is_sealed(file: IO[bytes]) -> bool:
    """Whether the file is an OpenPGP message, binary or armored; it is left at its beginning."""
    start = file.read(1000)
    file.seek(0)
    return bool(start) and (start[0] & 0x80 != 0 or ARMOR in start)


@contextmanager
def opened(file: IO[bytes], key: bytes, signer: bytes | None, passphrase: str | None) -> Iterator[OpenedFile]:
    """The content of a sealed file. `key` is the recipient's private key, `signer` our public (or private) one.

    Without `signer` the file must be unsigned. Raises NotOpened (wrong key or passphrase, a damaged file, a signature
    that is bad, absent or not by `signer`), SealFailed (no gpg).
    """
    with gnupghome() as home, tempfile.TemporaryDirectory(dir=home) as directory:
        gpg = Gpg(home)
        signers = _fingerprints(gpg, signer, "the signer's key", None) if signer else []
        ours = _fingerprints(gpg, key, "the given key", passphrase)
        plain = Path(directory) / "plain"
        silent = [] if passphrase else ["--pinentry-mode", "cancel"]  # else gpg would ask on the terminal
        stream = gpg.for_a_stream()  # a large file takes longer than an answer about keys may
        with suppress(OSError):  # gpg ended before it had read everything; its status lines say why
            stream.decrypt_file(file, passphrase=passphrase, always_trust=True, output=str(plain), extra_args=silent)
        message = Decryption.of(stream.result.returncode, stream.result.stderr)
        if message.recipients and not set(message.recipients) & {fingerprint[-16:] for fingerprint in ours}:
            raise NotOpened("The given key is not the one that the file is encrypted to.")
        if problem := message.problem(tuple(signers), signer_may_have_expired=True):
            raise NotOpened(_SENTENCES[problem])
        proof = f"signature good, by {message.signer}" if message.signer else "the file carries no signature"
        with plain.open("rb") as content:
            yield OpenedFile(content, plain.stat().st_size, proof)


def _fingerprints(gpg: Gpg, material: bytes, what: str, passphrase: str | None) -> list[str]:
    """The primary key's fingerprint and those of its subkeys."""
    result = gpg.import_keys(cleaned(material), passphrase=passphrase)
    fingerprints = {fingerprint for fingerprint in result.fingerprints if fingerprint}
    if len(fingerprints) != 1:
        raise NotOpened(f"In {what} gpg finds {len(fingerprints)} PGP keys; one is needed.")
    listed = gpg.list_keys(keys=fingerprints.pop())[0]
    return [listed["fingerprint"], *(info["fingerprint"] for info in listed.get("subkey_info", {}).values())]
