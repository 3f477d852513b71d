"""Keys that expire, are revoked, swapped or rotated, secrets that are disabled, host keys that change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud import keys
from localcloud.opened import decrypt, partner_home
from localcloud.world import PROJECT
from tests.operation.office import Office, copy_of


def _pgp(**options: Any) -> keys.PgpKey:
    with keys.gnupg_home() as home:
        return keys.pgp_key(home, "Partner <partner@example.com>", **options)


def _trouble(office: Office, key: str) -> tuple[str, str]:
    """The event and the trouble that `keys` tells of one key; all others are well."""
    states = office.told("keys", code=1)
    assert [state["key"] for state in states if state["trouble"]] == [key]
    (state,) = [state for state in states if state["key"] == key]
    return state["event"], state["trouble"]


def _refused(office: Office, reason: str, code: str = "key-unusable") -> None:
    """A delivery is refused with the reason, and nothing is sealed or sent; it is tried again later."""
    hour = office.hour(3)
    (told,) = office.told("deliver", "--start", hour, "--dataset", "payments", code=3)
    assert told["error"]["code"] == code
    assert reason in told["error"]["message"]
    assert not office.records(hour, "r1/delivered")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"expires_in": timedelta(days=-2)}, "has expired"),
        ({"encryption_expires_in": timedelta(days=-2)}, "has no usable encryption subkey"),
        ({"revoked": "key"}, "is revoked"),
        ({"revoked": "encryption subkey"}, "is revoked"),
        ({"encryption": False}, "has no encryption subkey"),
    ],
    ids=["key expired", "subkey expired", "key revoked", "subkey revoked", "cannot encrypt"],
)
def test_a_partner_key_that_cannot_do_its_work_is_told_and_refused(
    office: Office, options: dict[str, Any], reason: str
) -> None:
    with office.secret("pgp-partner-key", _pgp(**options).public):
        event, trouble = _trouble(office, "partner's encryption key")
        assert event == "key.unusable"
        assert reason in trouble
        _refused(office, reason)


@pytest.mark.parametrize(("days", "threshold"), [(40, None), (30, 30), (14, 14), (7, 7), (1, 1), (0, 1)])
def test_a_key_that_ends_soon_is_told_at_30_14_7_and_1_days(office: Office, days: int, threshold: int | None) -> None:
    key = _pgp(encryption_expires_in=timedelta(days=days, hours=12))
    with office.secret("pgp-partner-key", key.public):
        result = office.run("keys", "--json", "--log", "-")
    assert result.exit_code == (0 if threshold is None else 1)
    state = json.loads(result.stdout)[0]
    assert (state["days_left"], state["fingerprint"]) == (days, key.fingerprint)
    events = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    (told,) = [event for event in events if event.get("fingerprint") == key.fingerprint]
    assert told["event"] == ("key.usable" if threshold is None else "key.expiring")
    assert told.get("threshold") == threshold


def test_keys_in_the_wrong_secret_are_told_apart(office: Office) -> None:
    world = office.world
    for secret, value, key, reason in (
        ("pgp-signing-key", world.signing_key.public, "our signing key", "must hold a private key"),
        ("pgp-signing-key", world.partner_key.public, "our signing key", "must hold a private key"),
        (
            "pgp-partner-key",
            world.signing_key.private,
            "partner's encryption key",
            "must hold the partner's public key",
        ),
        ("pgp-signing-passphrase", b"wrong", "our signing key", "is its passphrase the one in the secret?"),
        ("sftp-key", world.login_key.public, "SSH keys of the partner's server", "does not hold a private key"),
        ("sftp-host-keys", world.server_key.private, "SSH keys of the partner's server", "is not a public key"),
        ("sftp-key", keys.ssh_key().private, "SSH keys of the partner's server", "does not accept our key"),
    ):
        with office.secret(secret, value):
            event, trouble = _trouble(office, key)
            assert event == "key.unusable"
            assert reason in trouble


def test_a_disabled_secret_version_is_told_and_refused(office: Office) -> None:
    with office.secret("pgp-partner-key", office.world.partner_key.public):
        latest = office.world.secrets.get_secret_version(
            name=f"projects/{PROJECT}/secrets/pgp-partner-key/versions/latest"
        )
        office.world.secrets.disable_secret_version(name=latest.name)
        assert "is disabled or destroyed" in _trouble(office, "partner's encryption key")[1]
        _refused(office, "is disabled or destroyed", code="credentials-unavailable")
        office.world.secrets.enable_secret_version(name=latest.name)
    assert office.run("keys").exit_code == 0


def test_a_rotated_partner_key_counts_from_the_next_run_and_old_deliveries_stay_as_they_are(
    office: Office, tmp_path: Path
) -> None:
    hour = office.delivered()
    before = copy_of(office.file(hour), tmp_path)
    theirs = _pgp()
    with office.secret("pgp-partner-key", theirs.public):
        office.told("republish", "--start", hour, "--dataset", "payments", "--resend", "--yes")
        office.wait(lambda: len(office.records(hour, "r1/delivered")) == 2)
        assert office.file(hour).read_bytes() == before.read_bytes()
        office.told("republish", "--start", hour, "--dataset", "payments", "--revise", "--yes")
        assert office.becomes(hour, "certified")["files"] == [office.file(hour, 2).name]
    ours = office.world.signing_key
    with partner_home(theirs, ours) as home:
        content = decrypt(home, office.file(hour, 2), ours.fingerprint)
        with pytest.raises(ValueError, match="NO_SECKEY"):
            decrypt(home, office.file(hour, 1), ours.fingerprint)
    with partner_home(office.world.partner_key, ours) as home:
        assert sorted(decrypt(home, office.file(hour, 1), ours.fingerprint).splitlines()) == sorted(
            content.splitlines()
        )


def test_a_rotated_signing_key_signs_from_the_next_run_on(office: Office) -> None:
    ours = _pgp(encryption=False, passphrase="correct horse")
    hour = office.hour(3)
    with office.secret("pgp-signing-key", ours.private):
        office.told("republish", "--start", hour, "--dataset", "payments", "--yes")
        office.wait(lambda: bool(office.records(hour, "r1/delivered")))
    with partner_home(office.world.partner_key, ours) as home:
        assert decrypt(home, office.file(hour), ours.fingerprint)


@contextmanager
def _server_shows(office: Office, key: keys.SshKey) -> Iterator[None]:
    """The partner's server is set up anew with another host key for a while, at the same address."""
    port = int(office.world.services["partner"].ready["port"])
    place = office.world.root / "host_key"
    before = place.read_bytes()

    def restart(private: bytes) -> None:
        office.world.services["partner"].stop()
        place.write_bytes(private)
        office.world.start_partner(port=port)

    restart(key.private)
    try:
        yield
    finally:
        restart(before)


def test_a_host_key_that_is_not_pinned_is_told_and_nothing_is_sent(office: Office) -> None:
    hour = office.delivered()
    before = {path: path.stat().st_mtime_ns for path in office.world.received()}
    with _server_shows(office, keys.ssh_key()):
        event, trouble = _trouble(office, "SSH keys of the partner's server")
        assert event == "hostkey.changed"
        assert "shows a host key that is not pinned" in trouble
        (told,) = office.told("deliver", "--start", hour, "--dataset", "payments", "--resend", code=3)
        assert told["error"]["code"] == "partner-untrusted"
    assert {path: path.stat().st_mtime_ns for path in office.world.received()} == before


def test_two_host_keys_may_be_pinned_while_the_partner_changes_from_one_to_the_other(office: Office) -> None:
    new = keys.ssh_key()
    both = b"# old, then new\n" + office.world.server_key.public + b"\nsftp.example.com " + new.public + b"\n"
    with office.secret("sftp-host-keys", both):
        assert office.run("keys").exit_code == 0
        with _server_shows(office, new):
            assert office.run("keys").exit_code == 0
            office.delivered(3)
