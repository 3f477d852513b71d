"""Secrets -> a short-lived key ring: our signing key and the partner's key, imported, judged, and tried.

gpg reports an unusable key as a broken pipe in the middle of a file. So each key is judged from gpg's listing before
the first byte, and then tried with the options of a real message; the error says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.clients.material import cleaned
from pipeline.clients.secretmanager import Credentials, Secret
from pipeline.errors import KeyUnusable
from pipeline.pgp.home import Gpg, gnupghome
from pipeline.pgp.key import Capability, Key, judged
from pipeline.pgp.status import Encryption
from pipeline.settings import Settings

MESSAGE: Final = "AES-256 and integrity protection (MDC)"
"""How every message is encrypted: what `options` asks of gpg."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """A gpg home with our signing key; `signing` is None where the partner wants unsigned files."""

    gpg: Gpg = field(repr=False)
    signing: Key | None
    passphrase: str | None = field(repr=False)

    @property
    def home(self) -> Path:
        """The directory of the ring."""
        return Path(self.gpg.gnupghome)

    def public_keys(self, earlier: Iterable[bytes] = ()) -> dict[str, bytes]:
        """Our public key, armored, and those of these files, by fingerprint.

        Raises KeyUnusable where nothing is signed, or a file holds no key.
        """
        if self.signing is None:
            raise KeyUnusable("There is no signing key (PGP_SIGN is off), so that nothing can be vouched for.")
        fingerprints = [self.signing.fingerprint]
        for material in earlier:
            imported = self.gpg.import_keys(cleaned(material)).fingerprints
            if not imported:
                raise KeyUnusable("The file holds no PGP key.")
            fingerprints += imported
        return {name: str(self.gpg.export_keys(name)).encode() for name in fingerprints if name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring(Signing):
    """A gpg home with all keys of a message."""

    partner: Key


Tried = set[tuple[str, ...]]
"""Names and versions of secrets that hold a key, with its passphrase, which did its work before; versions are final."""


@contextmanager
def keyring(settings: Settings, credentials: Credentials, tried: Tried | None = None) -> Iterator[Keyring]:
    """The keys of this moment, in a home that is removed afterwards. Keys that are among `tried` are not tried again.

    Raises KeyUnusable (expired, revoked, missing, wrong capability, wrong passphrase), CredentialsUnavailable.
    """
    tried = set() if tried is None else tried
    theirs, *held = credentials.read_all(settings.partner_key_secret, *_ours(settings))
    passphrase = held[1].text if len(held) > 1 else None
    with gnupghome() as home:
        gpg = Gpg(home)
        wanted: list[tuple[Capability, tuple[Secret, ...], str]] = [("e", (theirs,), _imported(gpg, theirs, "e"))]
        if held:
            wanted.append(("s", tuple(held), _imported(gpg, held[0], "s", passphrase)))
        listed = gpg.list_keys()
        keys = [_listed(listed, fingerprint, capability, used[0]) for capability, used, fingerprint in wanted]
        for key, (capability, used, _) in zip(keys, wanted, strict=True):
            names = tuple(_place(secret) for secret in used)
            if names not in tried:
                _try(gpg, key, capability, passphrase, names[0])
                tried.add(names)
        yield Keyring(gpg=gpg, partner=keys[0], signing=keys[1] if held else None, passphrase=passphrase)


@contextmanager
def signing_key(settings: Settings, credentials: Credentials) -> Iterator[Signing]:
    """Our signing key of this moment alone, in a home that is removed afterwards. Raises as `keyring` does."""
    held = credentials.read_all(*_ours(settings))
    passphrase = held[1].text if len(held) > 1 else None
    with gnupghome() as home:
        gpg = Gpg(home)
        signing = usable(gpg, held[0], "s", passphrase) if held else None
        yield Signing(gpg=gpg, signing=signing, passphrase=passphrase)


def _ours(settings: Settings) -> list[str]:
    """The secrets of our signing key and, if it has one, its passphrase; none where nothing is signed."""
    named = [settings.signing_key_secret, settings.signing_passphrase_secret] if settings.pgp_sign else []
    return [name for name in named if name]


def usable(
    gpg: Gpg, secret: Secret, capability: Capability, passphrase: str | None = None, *, place: str | None = None
) -> Key:
    """Import the key that a secret holds, judge it, and try it: encrypt nothing to it, or sign nothing with it.

    `place` names in an error where the key is from, else the secret. Raises KeyUnusable with the reason, never with key
    material.
    """
    fingerprint = _imported(gpg, secret, capability, passphrase, place)
    key = _listed(gpg.list_keys(), fingerprint, capability, secret, place)
    _try(gpg, key, capability, passphrase, place or _place(secret))
    return key


def _place(secret: Secret) -> str:
    return f"secret {secret.name} version {secret.version}"


def _imported(
    gpg: Gpg, secret: Secret, capability: Capability, passphrase: str | None = None, place: str | None = None
) -> str:
    """The fingerprint of the one key that a secret holds, imported."""
    place = place or _place(secret)
    result = gpg.import_keys(cleaned(secret.value), passphrase=passphrase or None)
    fingerprints = sorted({fingerprint for fingerprint in result.fingerprints if fingerprint})
    if len(fingerprints) != 1:
        raise KeyUnusable(f"The {place} must hold one PGP key; gpg finds {len(fingerprints)} in it.")
    if capability == "e" and result.sec_imported:
        raise KeyUnusable(f"The {place} must hold the partner's public key; it holds a private one.")
    if capability == "s" and not result.sec_imported and not result.sec_dups:
        raise KeyUnusable(f"The {place} must hold a private key to sign with; it holds a public one.")
    return str(fingerprints[0])


def _listed(
    listed: list[dict[str, Any]], fingerprint: str, capability: Capability, secret: Secret, place: str | None = None
) -> Key:
    """The key of that fingerprint, judged from what gpg lists."""
    place = place or _place(secret)
    entry = next((one for one in listed if one["fingerprint"] == fingerprint), None)
    if entry is None:
        raise KeyUnusable(f"The {place} holds a key that gpg does not list: {fingerprint}.")
    return judged(entry, capability, secret.name, secret.version, place)


def _try(gpg: Gpg, key: Key, capability: Capability, passphrase: str | None, place: str) -> None:
    if capability == "e":
        _encrypts(gpg, key, place)
    else:
        _signs(gpg, key, passphrase, place)


def options(compression: str, digest: str) -> list[str]:
    """gpg's options for a message; `compression` as the setting PGP_COMPRESSION, `digest` as in `Key`."""
    algorithm, _, level = compression.partition(":")
    return [
        "--set-filename",
        "",
        "--cipher-algo",
        "AES256",
        "--digest-algo",
        digest,
        "--force-mdc",
        "--compress-algo",
        algorithm if level else "none",
        *(["--compress-level", level, "--bzip2-compress-level", level] if level else []),
    ]


def _encrypts(gpg: Gpg, key: Key, place: str) -> None:
    result = gpg.encrypt(b"", [key.fingerprint], always_trust=True, armor=False, extra_args=options("none", key.digest))
    if problem := Encryption.of(result.returncode, result.stderr).problem(()):
        raise KeyUnusable(f"The key {key.fingerprint} of {place} cannot be encrypted to: {problem}")


def _signs(gpg: Gpg, key: Key, passphrase: str | None, place: str) -> None:
    signature = gpg.sign(
        b"", keyid=f"{key.in_use}!", passphrase=passphrase, detach=True, extra_args=["--digest-algo", key.digest]
    )
    if signature.fingerprint is None or signature.returncode != 0:
        raise KeyUnusable(
            f"The key {key.fingerprint} of {place} does not sign: {signature.status or 'gpg gives no reason'}; is its "
            "passphrase the one in the secret?"
        )
