"""Keys made at run time are what they are said to be, in the eyes of gpg and OpenSSH."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from localcloud.keys import PgpKey, gnupg_home, host_key_line, pgp_key, ssh_key

NAME = "Amazon <partner@example.com>"
DAY = timedelta(days=1)


@pytest.fixture
def home() -> Iterator[Path]:
    with gnupg_home() as home:
        yield home


@pytest.fixture
def stranger() -> Iterator[Path]:
    """A second keyring, which knows nothing of the first."""
    with gnupg_home() as home:
        yield home


def gpg(home: Path, *arguments: str, data: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--trust-model", "always"]
    return subprocess.run([*command, *arguments], input=data, capture_output=True, timeout=60)


def encrypts(home: Path, key: PgpKey) -> bool:
    return gpg(home, "--encrypt", "--recipient", key.fingerprint, data=b"payload").returncode == 0


def test_another_keyring_encrypts_to_the_public_key_and_the_private_key_opens_it_with_its_passphrase(
    home: Path, stranger: Path
) -> None:
    key = pgp_key(home, NAME, passphrase="correct horse ü")
    gpg(stranger, "--import", data=key.public)
    sealed = gpg(stranger, "--encrypt", "--recipient", key.fingerprint, data=b"payload").stdout
    with gnupg_home() as elsewhere:
        gpg(elsewhere, "--import", data=key.private)
        assert gpg(elsewhere, "--passphrase", "wrong", "--decrypt", data=sealed).returncode != 0
        assert gpg(elsewhere, "--passphrase", "correct horse ü", "--decrypt", data=sealed).stdout == b"payload"


@pytest.mark.parametrize(
    ("algorithm", "kinds"),
    [("ed25519/cv25519", ["255:22", "255:18"]), ("rsa3072", ["3072:1", "3072:1"]), ("nistp256", ["256:19", "256:18"])],
)
def test_the_algorithm_is_the_one_asked_for(home: Path, algorithm: Any, kinds: list[str]) -> None:
    key = pgp_key(home, NAME, algorithm=algorithm)
    listing = gpg(home, "--with-colons", "--list-keys", key.fingerprint).stdout.decode().splitlines()
    assert [":".join(line.split(":")[2:4]) for line in listing if line[:3] in ("pub", "sub")] == kinds


def test_the_fingerprints_are_those_of_the_primary_key_and_of_the_encryption_subkey(home: Path) -> None:
    key = pgp_key(home, NAME)
    listing = gpg(home, "--with-colons", "--list-keys", "--with-subkey-fingerprint").stdout.decode().splitlines()
    assert [line.split(":")[9] for line in listing if line.startswith("fpr")] == [
        key.fingerprint,
        key.encryption_subkey_fingerprint,
    ]


def test_a_key_with_a_lifetime_is_good_until_then(home: Path) -> None:
    key = pgp_key(home, NAME, expires_in=13 * DAY)
    listing = gpg(home, "--with-colons", "--list-keys", key.fingerprint).stdout.decode().splitlines()
    ends = [datetime.fromtimestamp(int(line.split(":")[6]), UTC) for line in listing if line[:3] in ("pub", "sub")]
    assert len(ends) == 2
    assert all(abs(end - datetime.now(UTC) - 13 * DAY) < timedelta(minutes=1) for end in ends)
    assert encrypts(home, key)


@pytest.mark.parametrize(
    "options",
    [
        {"expires_in": -DAY},
        {"encryption_expires_in": -DAY},
        {"encryption_expires_in": -DAY, "expires_in": 30 * DAY},
        {"encryption": False},
        {"revoked": "key"},
        {"revoked": "encryption subkey", "passphrase": "secret"},
    ],
)
def test_gpg_refuses_to_encrypt_to_a_key_that_is_over_or_only_signs(
    home: Path, stranger: Path, options: dict[str, Any]
) -> None:
    key = pgp_key(home, NAME, **options)
    gpg(stranger, "--import", data=key.public)
    assert not encrypts(stranger, key)
    assert encrypts(home, pgp_key(home, "Control <control@example.com>"))


@pytest.mark.parametrize(
    "options", [{"encryption_expires_in": -DAY}, {"revoked": "encryption subkey"}, {"encryption": False}]
)
def test_a_key_whose_encryption_subkey_is_over_still_signs(home: Path, options: dict[str, Any]) -> None:
    key = pgp_key(home, NAME, **options)
    assert gpg(home, "--local-user", key.fingerprint, "--sign", data=b"payload").returncode == 0


def test_an_expired_key_does_not_sign(home: Path) -> None:
    key = pgp_key(home, NAME, expires_in=-DAY)
    assert gpg(home, "--local-user", key.fingerprint, "--sign", data=b"payload").returncode != 0


def test_making_a_key_leaves_no_agent_and_no_passphrase_behind(home: Path) -> None:
    pgp_key(home, NAME, passphrase="a-rare-word")
    answer = subprocess.run(
        ["gpg-connect-agent", "--homedir", str(home), "--no-autostart", "GETINFO pid", "/bye"], capture_output=True
    )
    assert b"no gpg-agent running" in answer.stderr
    assert not any(b"a-rare-word" in file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_a_home_is_private_while_lent_and_gone_afterwards() -> None:
    with gnupg_home() as home:
        assert home.stat().st_mode & 0o777 == 0o700
    assert not home.exists()


def test_the_ssh_public_key_belongs_to_the_private_key(tmp_path: Path) -> None:
    key = ssh_key()
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_bytes(key.private)
    derived = subprocess.run(["ssh-keygen", "-y", "-f", str(file)], capture_output=True, check=True).stdout
    assert derived.split()[:2] == key.public.split()[:2]


@pytest.mark.parametrize("port", [22, 2222])
def test_a_host_key_line_pins_the_key_to_host_and_port(port: int) -> None:
    key = ssh_key()
    known = asyncssh.import_known_hosts(host_key_line("sftp.example.com", port, key.public) + "\n")
    pinned, *_ = known.match("sftp.example.com", "", port)
    assert [found.export_public_key().strip() for found in pinned] == [key.public]
    assert known.match("other.example.com", "", port)[0] == []
