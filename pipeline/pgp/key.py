"""One PGP key, judged from gpg's own listing: what can do its work, until when, and why nothing else can; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pipeline.errors import KeyUnusable

Capability = Literal["e", "s"]
"""Encrypt to the key, or sign with it: gpg's letters for what a key or subkey may be used for."""

_WORK: Final[Mapping[Capability, str]] = {"e": "encryption", "s": "signing"}
_STATE: Final = {"r": "is revoked", "e": "has expired", "d": "is disabled", "i": "is invalid"}
_ECDSA, _EDDSA = "19", "22"


@dataclass(frozen=True, slots=True)
class Key:
    """A PGP key that can do its work, as a secret holds it.

    `fingerprint` is the primary key's, `expires` when its last usable subkey ends (None: never). `signers` are the
    fingerprints that a signature may carry: the primary key's and those of its signing subkeys. `in_use` is the
    fingerprint of the subkey that signs, `digest` the hash algorithm that it signs with.
    """

    fingerprint: str
    expires: datetime | None
    secret: str
    secret_version: str
    signers: tuple[str, ...]
    in_use: str
    digest: str
    description: str


@dataclass(frozen=True, slots=True)
class _Subkey:
    """The primary key or one of its subkeys; `held`: where a private key is needed, its private half is here."""

    fingerprint: str
    keyid: str
    can: str
    trust: str
    created: int
    expires: datetime | None
    algorithm: str
    bits: int
    name: str
    held: bool

    @property
    def trouble(self) -> str | None:
        """Why it cannot be used now; None where it can."""
        date = f" on {self.expires:%Y-%m-%d}" if self.expires else ""
        if self.trust in _STATE:
            return _STATE[self.trust] + (date if self.trust == "e" else "")
        if self.expires is not None and self.expires <= datetime.now(UTC):
            return f"has expired{date}"
        return None if self.held else "is not in the secret, which holds only a stub of it"


def judged(listed: Mapping[str, Any], capability: Capability, secret: str, version: str, place: str) -> Key:
    """The key of an entry of python-gnupg's `list_keys`. `place` names in an error where the key is from.

    Raises KeyUnusable where no subkey with the capability is usable now, with the reason of each.
    """
    primary, *others = _subkeys(listed)
    name = f"key {primary.fingerprint} of {place}"
    if primary.trust in _STATE or (primary.trouble and primary.held):
        raise KeyUnusable(f"The {name} {primary.trouble}.")
    able = [subkey for subkey in (primary, *others) if capability in subkey.can]
    if not able:
        raise KeyUnusable(f"The {name} has no {_WORK[capability]} subkey.")
    usable = [subkey for subkey in able if not subkey.trouble]
    if not usable:
        reasons = "; ".join(f"subkey {subkey.keyid} {subkey.trouble}" for subkey in able)
        raise KeyUnusable(f"The {name} has no usable {_WORK[capability]} subkey: {reasons}.")
    newest = max(usable, key=lambda subkey: (subkey is not primary, subkey.created))
    return Key(
        fingerprint=primary.fingerprint,
        expires=_end(usable, primary),
        secret=secret,
        secret_version=version,
        signers=(primary.fingerprint, *(subkey.fingerprint for subkey in others if "s" in subkey.can)),
        in_use=newest.fingerprint,
        digest=_digest(newest),
        description=f"{_WORK[capability]} with {newest.name} {newest.keyid}; {', '.join(listed['uids']) or 'no name'}",
    )


def _end(usable: list[_Subkey], primary: _Subkey) -> datetime | None:
    """When the last usable subkey expires, or the primary key before it."""
    ends = [subkey.expires for subkey in usable if subkey.expires is not None]
    last = max(ends) if len(ends) == len(usable) else None
    return min((end for end in (last, primary.expires) if end is not None), default=None)


def _digest(subkey: _Subkey) -> str:
    """SHA-256, and a longer hash where an elliptic curve asks for one: gpg refuses a hash shorter than the curve.

    See FIPS 186-5, section 6.4, for ECDSA; Ed448 takes 512 bits.
    """
    if subkey.algorithm not in (_ECDSA, _EDDSA) or subkey.bits <= 256:
        return "SHA256"
    return "SHA384" if subkey.bits <= 384 else "SHA512"


def _subkeys(listed: Mapping[str, Any]) -> Iterator[_Subkey]:
    """The primary key, then its subkeys, in gpg's order."""
    for fields in (listed, *listed.get("subkey_info", {}).values()):
        yield _Subkey(
            fingerprint=fields["fingerprint"],
            keyid=fields["keyid"],
            can=fields["cap"],
            trust=fields["trust"],
            created=int(fields["date"] or 0),
            expires=datetime.fromtimestamp(int(fields["expires"]), UTC) if fields["expires"] else None,
            algorithm=fields["algo"],
            bits=int(fields["length"] or 0),
            name=fields["curve"] or f"{'rsa' if fields['algo'] == '1' else 'key of '}{fields['length']}",
            held=fields["token"] in ("", "+"),  # `#` is a stub, else the number of a card
        )
