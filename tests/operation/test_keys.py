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
from localcloud.cloud import PROJECT
from localcloud.opened import decrypt, partner_home
from localcloud.partner import faults
from tests.operation.operator import Operator, copy_of


def _pgp(**options: Any) -> keys.PgpKey:
    with keys.gnupg_home() as home:
        return keys.pgp_key(home, "Partner <partner@example.com>", **options)


def _trouble(operator: Operator, key: str) -> tuple[str, str]:
    """The event and the trouble that `keys` tells of one key; all others are well."""
    states = operator.answer("keys", code=1)
    assert [state["key"] for state in states if state["trouble"]] == [key]
    (state,) = [state for state in states if state["key"] == key]
    return state["event"], state["trouble"]


def _refused(operator: Operator, reason: str, code: str = "key-unusable") -> None:
    """A delivery is refused with the reason, and nothing is sealed or sent; it is tried again later."""
    hour = operator.hour(3)
    (answer,) = operator.answer("deliver", "--start", hour, "--dataset", "payments", code=3)
    assert answer["error"]["code"] == code
    assert reason in answer["error"]["message"]
    assert not operator.records(hour, "r1/delivered")


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
def test_a_partner_key_that_cannot_do_its_work_is_reported_and_refused(
    operator: Operator, options: dict[str, Any], reason: str
) -> None:
    with operator.secret("pgp-partner-key", _pgp(**options).public):
        event, trouble = _trouble(operator, "partner's encryption key")
        assert event == "key.unusable"
        assert reason in trouble
        _refused(operator, reason)


@pytest.mark.parametrize(("days", "threshold"), [(40, None), (30, 30), (14, 14), (7, 7), (1, 1), (0, 1)])
def test_a_key_that_ends_soon_is_reported_at_30_14_7_and_1_days(
    operator: Operator, days: int, threshold: int | None
) -> None:
    key = _pgp(encryption_expires_in=timedelta(days=days, hours=12))
    with operator.secret("pgp-partner-key", key.public):
        result = operator.run("keys", "--json", "--log", "-")
    assert result.exit_code == (0 if threshold is None else 1)
    state = json.loads(result.stdout)[0]
    assert (state["days_left"], state["fingerprint"]) == (days, key.fingerprint)
    events = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    (answer,) = [event for event in events if event.get("fingerprint") == key.fingerprint]
    assert answer["event"] == ("key.usable" if threshold is None else "key.expiring")
    assert answer.get("threshold") == threshold


def test_keys_in_the_wrong_secret_are_distinguished(operator: Operator) -> None:
    deployment = operator.deployment
    for secret, value, key, reason in (
        ("pgp-signing-key", deployment.cloud.signing_key.public, "our signing key", "must hold a private key"),
        ("pgp-signing-key", deployment.cloud.partner_key.public, "our signing key", "must hold a private key"),
        (
            "pgp-partner-key",
            deployment.cloud.signing_key.private,
            "partner's encryption key",
            "must hold the partner's public key",
        ),
        ("pgp-signing-passphrase", b"wrong", "our signing key", "is its passphrase the one in the secret?"),
        (
            "sftp-key",
            deployment.cloud.login_key.public,
            "SSH keys of the partner's server",
            "does not hold a private key",
        ),
        (
            "sftp-host-keys",
            deployment.cloud.server_key.private,
            "SSH keys of the partner's server",
            "is not a public key",
        ),
        ("sftp-key", keys.ssh_key().private, "SSH keys of the partner's server", "does not accept our key"),
    ):
        with operator.secret(secret, value):
            event, trouble = _trouble(operator, key)
            assert event == "key.unusable"
            assert reason in trouble


def test_a_disabled_secret_version_is_reported_and_refused(operator: Operator) -> None:
    with operator.secret("pgp-partner-key", operator.deployment.cloud.partner_key.public):
        latest = operator.deployment.cloud.secrets.get_secret_version(
            name=f"projects/{PROJECT}/secrets/pgp-partner-key/versions/latest"
        )
        operator.deployment.cloud.secrets.disable_secret_version(name=latest.name)
        assert "is disabled or destroyed" in _trouble(operator, "partner's encryption key")[1]
        _refused(operator, "is disabled or destroyed", code="credentials-unavailable")
        operator.deployment.cloud.secrets.enable_secret_version(name=latest.name)
    assert operator.run("keys").exit_code == 0


def test_a_rotated_partner_key_counts_from_the_next_run_and_old_deliveries_stay_as_they_are(
    operator: Operator, tmp_path: Path
) -> None:
    hour = operator.delivered()
    before = copy_of(operator.file(hour), tmp_path)
    theirs = _pgp()
    with operator.secret("pgp-partner-key", theirs.public):
        operator.answer("republish", "--start", hour, "--dataset", "payments", "--resend", "--yes")
        operator.wait(lambda: len(operator.records(hour, "r1/delivered")) == 2)
        assert operator.file(hour).read_bytes() == before.read_bytes()
        operator.answer("republish", "--start", hour, "--dataset", "payments", "--revise", "--yes")
        operator.wait(lambda: bool(operator.records(hour, "r2/delivered")))
        assert operator.becomes(hour, "certified")["files"] == [operator.file(hour, 2).name]
    ours = operator.deployment.cloud.signing_key
    with partner_home(theirs, ours) as home:
        content = decrypt(home, operator.file(hour, 2), ours.fingerprint)
        with pytest.raises(ValueError, match="NO_SECKEY"):
            decrypt(home, operator.file(hour, 1), ours.fingerprint)
    with partner_home(operator.deployment.cloud.partner_key, ours) as home:
        assert sorted(decrypt(home, operator.file(hour, 1), ours.fingerprint).splitlines()) == sorted(
            content.splitlines()
        )


def test_a_rotated_signing_key_signs_from_the_next_run_on(operator: Operator) -> None:
    ours = _pgp(encryption=False, passphrase="correct horse")
    hour = operator.hour(3)
    with operator.secret("pgp-signing-key", ours.private):
        operator.answer("republish", "--start", hour, "--dataset", "payments", "--yes")
        operator.wait(lambda: bool(operator.records(hour, "r1/delivered")))
    with partner_home(operator.deployment.cloud.partner_key, ours) as home:
        assert decrypt(home, operator.file(hour), ours.fingerprint)


@contextmanager
def _server_shows(operator: Operator, key: keys.SshKey) -> Iterator[None]:
    """The partner's server is set up anew with another host key for a while, at the same address."""
    port = int(operator.deployment.partner.ready["port"])
    place = operator.deployment.cloud.root / "host_key"
    before = place.read_bytes()

    def restart(private: bytes) -> None:
        operator.deployment.partner.stop()
        place.write_bytes(private)
        operator.deployment.cloud.start_partner(port=port)

    restart(key.private)
    try:
        yield
    finally:
        restart(before)


def test_a_host_key_that_is_not_pinned_is_reported_and_nothing_is_sent(operator: Operator) -> None:
    hour = operator.delivered()
    before = {path: path.stat().st_mtime_ns for path in operator.deployment.received()}
    with _server_shows(operator, keys.ssh_key()):
        event, trouble = _trouble(operator, "SSH keys of the partner's server")
        assert event == "hostkey.changed"
        assert "shows a host key that is not pinned" in trouble
        (answer,) = operator.answer("deliver", "--start", hour, "--dataset", "payments", "--resend", code=3)
        assert answer["error"]["code"] == "partner-untrusted"
    assert {path: path.stat().st_mtime_ns for path in operator.deployment.received()} == before


def test_two_host_keys_may_be_pinned_while_the_partner_changes_from_one_to_the_other(operator: Operator) -> None:
    new = keys.ssh_key()
    both = (
        b"# old, then new\n" + operator.deployment.cloud.server_key.public + b"\nsftp.example.com " + new.public + b"\n"
    )
    with operator.secret("sftp-host-keys", both):
        assert operator.run("keys").exit_code == 0
        with _server_shows(operator, new):
            assert operator.run("keys").exit_code == 0
            operator.delivered(3)


def test_what_is_pinned_and_what_the_server_shows_are_reported_by_fingerprint_and_line(operator: Operator) -> None:
    new = keys.ssh_key("ecdsa-sha2-nistp256")
    with _server_shows(operator, new):
        event, trouble = _trouble(operator, "SSH keys of the partner's server")
    assert event == "hostkey.changed"
    for public in (new.public, operator.deployment.cloud.server_key.public):
        assert b" ".join(public.split()[:2]).decode() in trouble
    assert trouble.count("SHA256:") == 2


def test_keys_say_what_they_can_and_what_the_server_offers(operator: Operator) -> None:
    details = {state["key"]: state["detail"] for state in operator.answer("keys")}
    assert details["partner's encryption key"].startswith("encryption with cv25519 ")
    assert "signing with ed25519" in details["our signing key"]
    assert "key exchange curve25519-sha256" in details["SSH keys of the partner's server"]


def test_a_partner_that_is_down_hides_no_other_key_and_calls_none_unusable(operator: Operator) -> None:
    states = {state["key"]: state for state in operator.answer("keys", code=1, SFTP_PORT="1")}
    assert states["SSH keys of the partner's server"]["event"] == "key.unchecked"
    assert states["partner's encryption key"]["days_left"] is None
    assert [state["event"] for state in states.values()].count("key.usable") == 2


def test_an_unreachable_secret_manager_makes_no_key_unusable(operator: Operator) -> None:
    elsewhere = {"SECRET_MANAGER_EMULATOR_HOST": "127.0.0.1:1", "TIME_BUDGET_SECONDS": "10"}
    result = operator.run("keys", "--json", "--log", "-", **elsewhere)
    assert result.exit_code in (1, 3)
    assert "key.unusable" not in result.output
    assert "hostkey.changed" not in result.output


@pytest.mark.parametrize(
    ("options", "trouble"),
    [
        ({}, None),
        ({"encryption_expires_in": timedelta(days=400, hours=12)}, None),
        ({"encryption_expires_in": timedelta(days=-2)}, "has no usable encryption subkey"),
        ({"revoked": "key"}, "is revoked"),
        ({"encryption": False}, "has no encryption subkey"),
    ],
    ids=["good", "good for a while", "subkey expired", "revoked", "cannot encrypt"],
)
def test_a_new_key_of_the_partner_is_judged_before_it_is_trusted(
    operator: Operator, tmp_path: Path, options: dict[str, Any], trouble: str | None
) -> None:
    key = _pgp(**options)
    file = tmp_path / "new.asc"
    file.write_bytes(key.public)
    (state,) = operator.answer("keys", "--try", str(file), code=1 if trouble else 0)
    assert (state["key"], state["fingerprint"]) == ("partner's new key", "" if trouble else key.fingerprint)
    assert trouble is None or (trouble in state["trouble"] and "file new.asc" in state["trouble"])
    if not trouble:
        assert "Partner <partner@example.com>" in state["detail"]
        assert state["days_left"] == (400 if options else None)


@pytest.mark.parametrize("content", [b"", b"no key at all"])
def test_a_file_that_is_no_key_is_said_to_be_none(operator: Operator, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "new.asc"
    file.write_bytes(content)
    (state,) = operator.answer("keys", "--try", str(file), code=1)
    assert "gpg finds 0 in it" in state["trouble"]


def test_a_delivery_records_how_its_connection_was_protected(operator: Operator) -> None:
    hour = operator.delivered(3)
    (name,) = operator.records(hour, "r1/delivered")
    bucket = operator.deployment.cloud.storage.bucket("records")
    record = json.loads(bucket.blob(name).download_as_bytes())["record"]
    assert record["protection"] == {
        "kex": "curve25519-sha256",
        "cipher": "aes128-gcm@openssh.com",
        "mac": "aes128-gcm@openssh.com",
        "post_quantum": False,
    }


def test_a_server_that_is_silent_until_the_time_is_over_hides_no_other_key(operator: Operator) -> None:
    cloud = operator.deployment.cloud
    cloud.break_partner(faults.Fault("connect", "hang", times=100))
    try:
        result = operator.run("keys", "--json", "--log", "-", TIME_BUDGET_SECONDS="10")
    finally:
        cloud.end_faults()
    assert result.exit_code == 1
    states = {state["key"]: state["event"] for state in json.loads(result.stdout)}
    assert states == {
        "partner's encryption key": "key.usable",
        "our signing key": "key.usable",
        "SSH keys of the partner's server": "key.unchecked",
    }
    events = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    reported = [event["event"] for event in events if event["event"].startswith("key.")]
    assert reported == ["key.usable", "key.usable", "key.unchecked"]
