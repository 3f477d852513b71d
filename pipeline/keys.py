"""Keys: how long each key lasts and whether it can do its work, reported early enough to have a new one made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from pipeline import log
from pipeline.clients import connection
from pipeline.clients.secretmanager import Secret
from pipeline.clients.ssh import Server
from pipeline.errors import (
    CredentialsUnavailable,
    CredentialsUnreachable,
    KeyUnusable,
    OutOfTime,
    PartnerRefused,
    PartnerUnavailable,
    PartnerUntrusted,
)
from pipeline.pgp.home import Gpg, gnupghome
from pipeline.pgp.key import Capability, Key
from pipeline.pgp.keyring import Keyring, usable
from pipeline.run import Run

THRESHOLDS: Final = (1, 7, 14, 30)
"""Days before the end at which an event says so: a month to ask the partner, a fortnight, a week, a day."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key: what it is for, its fingerprint, days left (None: no end), and the trouble with it, if any.

    `event` is the log event that reports it. `detail` says what the key, or the server that it is for, can do; `ends`
    when the key ends.
    """

    key: str
    fingerprint: str
    days_left: int | None
    trouble: str | None = None
    event: str = "key.usable"
    detail: str = ""
    ends: datetime | None = None

    @property
    def needs_attention(self) -> bool:
        """Whether somebody has to look at it: it cannot do its work, or ends within a month."""
        return self.trouble is not None or (self.days_left is not None and self.days_left <= max(THRESHOLDS))


def look_at_keys(run: Run) -> list[KeyState]:
    """Look at every key and host key, and emit one event for each.

    Only an answer about a key makes it unusable; where a service or a server does not answer, or not before the time is
    over, the key is unchecked. What is known of the others has been reported by then.
    """
    with run.stage("keys") as figures:
        states = []
        for look in _looks(run):
            states.append(look())
            report(states[-1])
        _warn_of_ends(run)
        figures.add(keys=len(states), unusable=sum(state.trouble is not None for state in states))
    return states


def pgp_keys(run: Run) -> list[KeyState]:
    """The state of the PGP keys that are in use now; nothing is reported, and no server is asked but the secrets'."""
    return [look() for look in _pgp_looks(run)]


def _pgp_looks(run: Run) -> Iterator[Callable[[], KeyState]]:
    settings = run.settings
    yield partial(_pgp, "partner's encryption key", settings.partner_key_secret, "e", run)
    if settings.pgp_sign:
        yield partial(_pgp, "our signing key", settings.signing_key_secret, "s", run)


def _looks(run: Run) -> Iterator[Callable[[], KeyState]]:
    """A way to look at each key, those first that need no server."""
    settings = run.settings
    yield from _pgp_looks(run)
    yield partial(_ssh, "partner's server", run.partner)
    if settings.returns_host:
        yield partial(_ssh, "returns server", run.returns)


def try_partner_key(content: bytes, name: str, run: Run) -> KeyState:
    """Judge a new key of the partner, from a file of that name, as if it were in the secret; it is kept nowhere."""
    what = "partner's new key"
    try:
        with gnupghome() as home:
            key = usable(Gpg(home), Secret(name, "", content), "e", place=f"file {name}")
    except KeyUnusable as error:
        return KeyState(what, "", None, error.message, "key.unusable")
    return KeyState(what, key.fingerprint, days_left(key, run.now()), detail=key.description)


def warn(keys: Keyring, run: Run) -> None:
    """Report the keys in use that end soon; at every run, so that no daily look is needed to notice."""
    for what, key in (("partner's encryption key", keys.partner), ("our signing key", keys.signing)):
        if key is not None and (left := days_left(key, run.now())) is not None and left <= max(THRESHOLDS):
            report(KeyState(what, key.fingerprint, left))


def report(state: KeyState) -> None:
    """Emit the event of one key."""
    threshold = next((days for days in THRESHOLDS if state.days_left is not None and state.days_left <= days), None)
    event = "key.expiring" if state.trouble is None and threshold is not None else state.event
    message = state.trouble or (
        f"The {state.key} {state.fingerprint} ends in {state.days_left} days." if threshold else None
    )
    log.emit(
        event,
        message,
        key=state.key,
        fingerprint=state.fingerprint,
        days_left=state.days_left,
        threshold=threshold,
        detail=state.detail or None,
    )


def _warn_of_ends(run: Run) -> None:
    """Say which contracts end soon, as with a key: then files of that contract are not sent any more."""
    for contract in run.deployment.datasets.values():
        left = None if contract.ends is None else (contract.ends - run.now()).days
        if left is not None and 0 <= left <= max(THRESHOLDS):
            threshold = next(days for days in THRESHOLDS if left <= days)
            message = f"The contract {contract.series} {contract.version} ends in {left} days."
            log.emit("contract.ending", message, dataset=contract.series, days_left=left, threshold=threshold)


def days_left(key: Key, now: datetime) -> int | None:
    """Whole days until the key ends; None where it does not end."""
    return None if key.expires is None else (key.expires - now).days


def _pgp(what: str, secret: str, capability: Capability, run: Run) -> KeyState:
    try:
        content = run.credentials.read(secret)
        passphrase = _passphrase(run) if capability == "s" else None
        with gnupghome() as home:
            key = usable(Gpg(home), content, capability, passphrase)
    except (CredentialsUnreachable, OutOfTime) as error:
        return KeyState(what, "", None, error.message, "key.unchecked")
    except (KeyUnusable, CredentialsUnavailable) as error:
        return KeyState(what, "", None, error.message, "key.unusable")
    return KeyState(what, key.fingerprint, days_left(key, run.now()), detail=key.description, ends=key.expires)


def _passphrase(run: Run) -> str | None:
    name = run.settings.signing_passphrase_secret
    return run.credentials.read(name).text if name else None


def _ssh(what: str, server: Callable[[], Server | None]) -> KeyState:
    """The login key and the pinned host keys, by trying them."""
    name = f"SSH keys of the {what}"
    try:
        place = server()
        assert place is not None
        shown = connection.inspect(place)
    except PartnerUntrusted as error:
        return KeyState(name, "", None, error.message, "hostkey.changed")
    except (PartnerRefused, CredentialsUnavailable) as error:
        event = "key.unchecked" if isinstance(error, CredentialsUnreachable) else "key.unusable"
        return KeyState(name, "", None, error.message, event)
    except (PartnerUnavailable, OutOfTime) as error:
        return KeyState(name, "", None, error.message, "key.unchecked")
    return KeyState(name, shown.host_key, None, detail=shown.offer.summary)
