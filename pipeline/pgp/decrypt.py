"""Decrypt what others sent, with limits: a message of 300 bytes may open to gigabytes.

gpg also unpacks compressed messages that are not encrypted at all, and goes on for as long as there is output. So its
output and its time are limited, and it is killed beyond.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from pipeline.clients.material import cleaned
from pipeline.clients.secretmanager import Credentials
from pipeline.errors import KeyUnusable
from pipeline.pgp.home import Gpg, gnupghome
from pipeline.pgp.status import Decryption, SignatureState
from pipeline.settings import Settings
from pipeline.streams.background import PREFIX


@dataclass(frozen=True, slots=True)
class Reading:
    """A gpg home with our private key and the partner's public one, both as they are: what was sent may be old.

    `partner` holds the fingerprints of the partner's key and its subkeys, `ours` the key IDs of our own.
    """

    gpg: Gpg = field(repr=False)
    passphrase: str | None = field(repr=False)
    partner: frozenset[str]
    ours: frozenset[str]


@dataclass(frozen=True, slots=True)
class Content:
    """A file as it came: what it opens to (None: it was not opened), and what is known of its signature, in words.

    `problem` says that a limit was exceeded, and which.
    """

    opened: bytearray | None
    signature: str
    problem: str | None = None


PLAIN: Final = Content(None, "not encrypted")

_DOUBTS: Final[dict[SignatureState, str]] = {
    "unknown signer": "by a key that is not known",
    "revoked signer": "by a key that is revoked",
    "expired signer": "by a key that has expired",
    "expired": "has expired",
}
"""What is said of a signature that is not good."""


@contextmanager
def reading(settings: Settings, credentials: Credentials) -> Iterator[Reading]:
    """The keys of this moment, in a home that is removed afterwards; whether they are still valid does not matter.

    Without a signing key of ours (PGP_SIGN=false) nothing can be decrypted. Raises KeyUnusable where a secret holds no
    key, or the passphrase is not that of ours, CredentialsUnavailable.
    """
    with gnupghome() as home:
        gpg = Gpg(home)
        partner = _imported(gpg, settings.partner_key_secret, credentials, None)
        ours: frozenset[str] = frozenset()
        passphrase = None
        if settings.pgp_sign:
            if settings.signing_passphrase_secret:
                passphrase = credentials.read(settings.signing_passphrase_secret).text
            ours = _imported(gpg, settings.signing_key_secret, credentials, passphrase)
            _unlock(gpg, ours, passphrase, settings.signing_key_secret)
        yield Reading(gpg, passphrase, partner, frozenset(fingerprint[-16:] for fingerprint in ours))


def is_message(raw: bytearray) -> bool:
    """Whether a file looks like an OpenPGP message: armored, or binary, beginning as a packet does, and no text."""
    if b"-----BEGIN PGP MESSAGE-----" in raw[:1000]:
        return True
    if not raw or not raw[0] & 0x80:
        return False
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def opened(keys: Reading, raw: bytearray, *, most: int, seconds: float) -> Content:
    """Open a message; at most `most` bytes come out, and gpg works for at most `seconds`."""
    message, plain, limit = _decrypted(keys, raw, most, seconds)
    if limit is not None:
        return Content(None, "not opened", f"It opens to {limit}; it is kept as it came.")
    if any(signature.state == "bad" for signature in message.signatures):
        return Content(None, "bad, so it was not opened")
    if not message.recipients and "DECRYPTION_FAILED" not in message.failures:
        return PLAIN
    if not message.decrypted and not keys.ours & set(message.recipients):  # or with a passphrase, to no key at all
        return Content(None, "encrypted, but not to a key of ours")
    if not message.decrypted or not message.intact:
        return Content(None, "damaged")
    return Content(plain, _signature(message, keys))


def _signature(message: Decryption, keys: Reading) -> str:
    for signature in message.signatures:
        if signature.state in _DOUBTS:
            return _DOUBTS[signature.state]
    if message.signer is None:
        return "none"
    return "good, by the partner" if message.signer in keys.partner else f"good, by {message.signer}"


def _decrypted(keys: Reading, raw: bytearray, most: int, seconds: float) -> tuple[Decryption, bytearray, str | None]:
    """What gpg said, what came out, and the limit that was exceeded, if one was."""
    gpg = keys.gpg.for_a_stream()
    output, end = bytearray(most), 0  # memory that is not written to costs nothing, and growing would leave holes
    source, exceeded = _File(raw), list[str]()

    def stop(limit: str) -> None:
        exceeded.append(limit)
        gpg.kill()

    def take(piece: bytes) -> bool:
        nonlocal end
        if not exceeded and end + len(piece) > most:
            stop(f"more than {most} bytes")
        if not exceeded:
            output[end : end + len(piece)] = piece
            end += len(piece)
        return False

    gpg.on_data = take
    timer = threading.Timer(seconds, stop, [f"more than {seconds:g} seconds of work"])
    timer.name = f"{PREFIX}gpg-limit"
    timer.daemon = True
    timer.start()
    try:
        with suppress(OSError):  # gpg ended before it had read everything; its status lines say why
            gpg.decrypt_file(source, passphrase=keys.passphrase, always_trust=True)
    finally:
        source.close()
        timer.cancel()
        timer.join()
    message = Decryption.of(gpg.result.returncode, gpg.result.stderr)
    del output[0 if exceeded else end :]
    return message, output, exceeded[0] if exceeded else None


def _imported(gpg: Gpg, secret: str, credentials: Credentials, passphrase: str | None) -> frozenset[str]:
    """The fingerprints of the key in a secret, and of its subkeys."""
    material = credentials.read(secret)
    result = gpg.import_keys(cleaned(material.value), passphrase=passphrase)
    prints = {fingerprint for fingerprint in result.fingerprints if fingerprint}
    if not prints:
        raise KeyUnusable(f"The secret {secret} version {material.version} must hold one PGP key; gpg finds 0 in it.")
    entries = gpg.list_keys(keys=sorted(prints))
    subkeys = (info["fingerprint"] for entry in entries for info in entry.get("subkey_info", {}).values())
    return frozenset((*prints, *subkeys))


class _File:
    """Bytes as the file that python-gnupg reads from, without a copy of them all; ends when it is closed."""

    def __init__(self, content: bytearray) -> None:
        self._content = content
        self._position = 0

    def read(self, size: int) -> bytes:
        piece = bytes(self._content[self._position : self._position + size])
        self._position += len(piece)
        return piece

    def close(self) -> None:
        self._content = bytearray()


def _unlock(gpg: Gpg, fingerprints: frozenset[str], passphrase: str | None, secret: str) -> None:
    """Export our private key, which takes its passphrase and, unlike signing, no key that is still valid."""
    words = {"passphrase": passphrase} if passphrase else {"expect_passphrase": False}
    if not gpg.export_keys(sorted(fingerprints), secret=True, **words):
        raise KeyUnusable(
            f"The private key in secret {secret} cannot be used; is its passphrase the one in the secret?"
        )
