"""Secrets -> a short-lived key ring: our signing key and the partner's key, imported, looked at, and fit for use.

gpg reports an unusable key as a broken pipe in the middle of a file. So keys are judged here, before the first byte,
from gpg's own listing, with the reason in the error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pipeline.budget import Budget
from pipeline.clients.secretmanager import Credentials, Secret
from pipeline.errors import KeyUnusable
from pipeline.pgp.home import Gpg, gnupghome
from pipeline.settings import Settings

_STATE: Final = {"r": "is revoked", "e": "has expired", "d": "is disabled", "i": "is invalid"}


@dataclass(frozen=True, slots=True)
class Key:
    """One PGP key as a secret holds it.

    `expires` is when the part that does the work ends; None means never. `signers` are the fingerprints that a
    signature may carry: the primary key's, and those of its signing subkeys.
    """

    fingerprint: str
    expires: datetime | None
    secret: str
    secret_version: str
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keyring:
    """A home with everything that sealing needs. `signing` is None where the partner wants unsigned files."""

    gpg: Gpg = field(repr=False)
    partner: Key
    signing: Key | None
    passphrase: str | None = field(repr=False)

    @property
    def home(self) -> Path:
        """The directory of the ring."""
        return Path(self.gpg.gnupghome)


@contextmanager
def keyring(settings: Settings, credentials: Credentials, budget: Budget) -> Iterator[Keyring]:
    """The keys of this moment, in a home that is gone afterwards.

    Raises KeyUnusable (expired, revoked, missing, wrong capability, wrong passphrase), CredentialsUnavailable.
    """
    with gnupghome() as home:
        gpg = Gpg(home)
        partner = imported(gpg, credentials.read(settings.partner_key_secret, budget), "e")
        signing, passphrase = None, None
        if settings.pgp_sign:
            if settings.signing_passphrase_secret:
                passphrase = credentials.read(settings.signing_passphrase_secret, budget).text
            signing = imported(gpg, credentials.read(settings.signing_key_secret, budget), "s", passphrase)
            signs(gpg, signing, passphrase)
        yield Keyring(gpg, partner, signing, passphrase)


def imported(gpg: Gpg, secret: Secret, capability: str, passphrase: str | None = None) -> Key:
    """Import the one key that a secret holds; `capability` is "e" (encrypt to it) or "s" (sign with it).

    Raises KeyUnusable with the reason and the secret's name, never with key material.
    """
    place = f"secret {secret.name} version {secret.version}"
    result = gpg.import_keys(secret.value, passphrase=passphrase or None)
    fingerprints = sorted({fingerprint for fingerprint in result.fingerprints if fingerprint})
    if len(fingerprints) != 1:
        raise KeyUnusable(f"The {place} must hold one PGP key; gpg finds {len(fingerprints)} in it.")
    (fingerprint,) = fingerprints
    if capability == "e" and result.sec_imported:
        raise KeyUnusable(f"The {place} must hold the partner's public key; it holds a private one.")
    if capability == "s" and not result.sec_imported and not result.sec_dups:
        raise KeyUnusable(f"The {place} must hold a private key to sign with; it holds a public one.")
    listed = [entry for entry in gpg.list_keys(secret=capability == "s") if entry["fingerprint"] == fingerprint]
    if not listed:
        raise KeyUnusable(f"The {place} holds a key that gpg does not list: {fingerprint}.")
    subkeys = [info["fingerprint"] for info in _subkeys(listed[0]).values() if "s" in info["cap"]]
    expires = _usable_until(listed[0], capability, place)
    return Key(fingerprint, expires, secret.name, secret.version, (fingerprint, *subkeys))


def signs(gpg: Gpg, key: Key, passphrase: str | None) -> None:
    """Sign nothing once, to learn of a wrong passphrase before a row is read. Raises KeyUnusable."""
    signature = gpg.sign("", keyid=key.fingerprint, passphrase=passphrase, detach=True)
    if signature.fingerprint is None or signature.returncode != 0:
        raise KeyUnusable(
            f"The key {key.fingerprint} of secret {key.secret} version {key.secret_version} does not sign: "
            f"{signature.status or 'gpg gives no reason'}; is its passphrase the one in the secret?"
        )


def _usable_until(key: dict[str, Any], capability: str, place: str) -> datetime | None:
    """When the last usable part with the capability expires. Raises KeyUnusable where none is usable now."""
    name = f"key {key['fingerprint']} of {place}"
    if reason := _trouble(key["trust"], key["expires"]):
        raise KeyUnusable(f"The {name} {reason}.")
    parts = [(key["keyid"], key["cap"], key["trust"], key["expires"])]
    parts += [(keyid, info["cap"], info["trust"], info["expires"]) for keyid, info in _subkeys(key).items()]
    able = [(keyid, trust, expires) for keyid, can, trust, expires in parts if capability in can]
    work = {"e": "encryption", "s": "signing"}[capability]
    if not able:
        raise KeyUnusable(f"The {name} has no {work} subkey.")
    usable = [(keyid, expires) for keyid, trust, expires in able if not _trouble(trust, expires)]
    if not usable:
        reasons = "; ".join(f"subkey {keyid} {_trouble(trust, expires)}" for keyid, trust, expires in able)
        raise KeyUnusable(f"The {name} has no usable {work} subkey: {reasons}.")
    last = None if any(not expires for _, expires in usable) else max(int(expires) for _, expires in usable)
    ends = [int(expires) for expires in (last, key["expires"]) if expires]
    return datetime.fromtimestamp(min(ends), UTC) if ends else None


def _subkeys(key: dict[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = key.get("subkey_info", {})  # absent where there is no subkey
    return found


def _trouble(trust: str, expires: str) -> str | None:
    if trust in _STATE:
        date = _instant(expires)
        return _STATE[trust] + (f" on {date:%Y-%m-%d}" if trust == "e" and date else "")
    date = _instant(expires)
    return f"has expired on {date:%Y-%m-%d}" if date and date <= datetime.now(UTC) else None


def _instant(epoch: str) -> datetime | None:
    return datetime.fromtimestamp(int(epoch), UTC) if epoch else None
