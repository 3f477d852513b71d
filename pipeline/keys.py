"""Keys: how long each key lasts and whether it can do its work, told early enough to have a new one made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pipeline import log
from pipeline.clients import sftp
from pipeline.clients.secretmanager import Secret
from pipeline.clients.sftp import Server
from pipeline.errors import CredentialsUnavailable, KeyUnusable, PartnerRefused, PartnerUntrusted
from pipeline.pgp.home import Gpg, gnupghome
from pipeline.pgp.key import Capability, Key
from pipeline.pgp.keyring import Keyring, usable
from pipeline.run import Run

THRESHOLDS: Final = (1, 7, 14, 30)
"""Days before the end at which an event says so: a month to ask the partner, a fortnight, a week, a day."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key: what it is for, its fingerprint, days left (None: no end), and the trouble with it, if any."""

    key: str
    fingerprint: str
    days_left: int | None
    trouble: str | None = None
    event: str = "key.usable"


def look_at_keys(run: Run) -> list[KeyState]:
    """Look at every key and host key, and emit one event each. Raises PartnerUnavailable where a server is down."""
    with run.stage("keys") as figures:
        settings = run.settings
        states = [_pgp("partner's encryption key", settings.partner_key_secret, "e", run)]
        if settings.pgp_sign:
            states.append(_pgp("our signing key", settings.signing_key_secret, "s", run))
        states.append(_ssh("partner's server", run.partner, run))
        if settings.returns_host:
            states.append(_ssh("returns server", run.returns, run))
        for state in states:
            tell(state)
        figures.add(keys=len(states), unusable=sum(state.trouble is not None for state in states))
    return states


def warn(keys: Keyring, run: Run) -> None:
    """Tell of the keys in use that end soon; at every run, so that no daily look is needed to notice."""
    for what, key in (("partner's encryption key", keys.partner), ("our signing key", keys.signing)):
        if key is not None and (left := days_left(key, run.now())) is not None and left <= max(THRESHOLDS):
            tell(KeyState(what, key.fingerprint, left))


def tell(state: KeyState) -> None:
    """Emit the event of one key."""
    threshold = next((days for days in THRESHOLDS if state.days_left is not None and state.days_left <= days), None)
    event = "key.expiring" if state.trouble is None and threshold is not None else state.event
    message = state.trouble or (
        f"The {state.key} {state.fingerprint} ends in {state.days_left} days." if threshold else None
    )
    log.emit(
        event, message, key=state.key, fingerprint=state.fingerprint, days_left=state.days_left, threshold=threshold
    )


def days_left(key: Key, now: datetime) -> int | None:
    """Whole days until the key ends; None where it does not end."""
    return None if key.expires is None else (key.expires - now).days


def _pgp(what: str, secret: str, capability: Capability, run: Run) -> KeyState:
    try:
        found = run.credentials.read(secret)
        with gnupghome() as home:
            gpg = Gpg(home)
            passphrase = _passphrase(run) if capability == "s" else None
            key = usable(gpg, found, capability, passphrase.text if passphrase else None)
    except (KeyUnusable, CredentialsUnavailable) as error:
        return KeyState(what, "", None, error.message, "key.unusable")
    return KeyState(what, key.fingerprint, days_left(key, run.now()))


def _passphrase(run: Run) -> Secret | None:
    name = run.settings.signing_passphrase_secret
    return run.credentials.read(name) if name else None


def _ssh(what: str, server: Callable[[], Server | None], run: Run) -> KeyState:
    """The login key and the pinned host keys, by trying them."""
    try:
        found = server()
        assert found is not None
        return KeyState(f"SSH keys of the {what}", sftp.host_key(found), None)
    except PartnerUntrusted as error:
        return KeyState(f"SSH keys of the {what}", "", None, error.message, "hostkey.changed")
    except (PartnerRefused, CredentialsUnavailable) as error:
        return KeyState(f"SSH keys of the {what}", "", None, error.message, "key.unusable")
