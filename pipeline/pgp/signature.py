"""Detached signatures: what is not encrypted, but must be vouched for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from pipeline.errors import KeyUnusable, SealFailed
from pipeline.pgp.home import Gpg, gnupghome
from pipeline.pgp.keyring import Signing
from pipeline.records.audit import IsSigned


def detached(content: bytes, keys: Signing) -> bytes:
    """An armored signature of the content by our signing key. Raises KeyUnusable where there is none, SealFailed."""
    if keys.signing is None:
        raise KeyUnusable("There is no signing key (PGP_SIGN is off), so that nothing can be vouched for.")
    signed = keys.gpg.sign(content, keyid=keys.signing.fingerprint, passphrase=keys.passphrase or None, detach=True)
    if signed.returncode != 0 or signed.fingerprint not in keys.signing.signers:
        raise SealFailed(f"gpg did not sign: {signed.status or 'without a reason'}.")
    return bytes(signed.data)


@contextmanager
def verifier(materials: list[bytes]) -> Iterator[IsSigned]:
    """A check of detached signatures by any of the keys given; an expired key still vouches for what it signed.

    Raises KeyUnusable where the material holds no key, SealFailed where there is no gpg.
    """
    with gnupghome() as home:
        gpg = Gpg(home)
        for material in materials:
            if not gpg.import_keys(material).fingerprints:
                raise KeyUnusable("The file holds no PGP key.")
        yield lambda content, signature: _is_good(gpg, home, content, signature)


def _is_good(gpg: Gpg, home: Path, content: bytes, signature: bytes) -> bool:
    with NamedTemporaryFile(dir=home) as file:
        file.write(signature)
        file.flush()
        result = gpg.verify_data(file.name, content)
    words = {line.split()[1] for line in result.stderr.splitlines() if line.startswith("[GNUPG:] ")}
    return "VALIDSIG" in words and not words & {"BADSIG", "ERRSIG", "REVKEYSIG"}
