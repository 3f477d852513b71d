"""Key material, made when it is needed and never kept: OpenPGP keys by the real gpg, SSH keys by asyncssh."""

import math
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import asyncssh

PgpAlgorithm = Literal["ed25519/cv25519", "rsa3072", "rsa4096", "nistp256"]
SshAlgorithm = Literal["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class PgpKey:
    """A key pair; `public` and `private` are armored, `private` is protected by `passphrase` where there is one.

    Fingerprints are 40 upper-case hexadecimal digits; `encryption_subkey_fingerprint` is None on a key that only signs.
    """

    fingerprint: str
    encryption_subkey_fingerprint: str | None
    public: bytes
    private: bytes
    passphrase: str | None


@dataclass(frozen=True, slots=True)
class SshKey:
    """A key pair in OpenSSH's formats; `public` is one line without a line end."""

    private: bytes
    public: bytes


@contextmanager
def gnupg_home() -> Iterator[Path]:
    """Lend a directory that gpg accepts as its home (private, its path short enough for a socket), then remove it.

    The agents that gpg started for it are ended first.
    """
    with tempfile.TemporaryDirectory(prefix="gpg-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        try:
            yield home
        finally:
            end_agents(home)


def end_agents(home: Path) -> None:
    """End every daemon that gpg keeps for `home`."""
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True, capture_output=True)


def pgp_key(
    home: Path,
    name: str,
    *,
    algorithm: PgpAlgorithm = "ed25519/cv25519",
    expires_in: timedelta | None = None,
    encryption: bool = True,
    encryption_expires_in: timedelta | None = None,
    revoked: Literal["key", "encryption subkey"] | None = None,
    passphrase: str | None = None,
) -> PgpKey:
    """Make a key for the user id `name` in the keyring of `home` (see `gnupg_home`), and return it.

    The primary key certifies and signs; `encryption` adds a subkey for that. Lifetimes count from now; a negative one
    ended that long ago. `encryption_expires_in` is the subkey's own, and `expires_in` unless it is given. No agent is
    left running. Raises subprocess.CalledProcessError, with gpg's stderr in it, where gpg refuses.
    """
    now = datetime.now(UTC)
    subkey_expires_in = expires_in if encryption_expires_in is None else encryption_expires_in
    born = min(
        [
            now - _MINUTE,
            *(now + lifetime - _DAY for lifetime in (expires_in, subkey_expires_in) if lifetime is not None),
        ]
    )
    primary, _, subkey = algorithm.partition("/")
    agent = home / "gpg-agent.conf"
    if not agent.exists():
        agent.write_text("s2k-count 65536\n")  # else each new agent measures for seconds how much hashing is bearable
    secret = home / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text(passphrase or "")

    def gpg(*arguments: str, answers: str = "") -> bytes:
        return _gpg(home, "--passphrase-file", str(secret), *arguments, answers=answers)

    def make(command: str, *arguments: str, at: datetime, expires_in: timedelta | None) -> str:
        until = "0" if expires_in is None else f"seconds={round((now + expires_in - at).total_seconds())}"
        clock = f"--faked-system-time={math.floor(at.timestamp())}"
        status = gpg(clock, "--status-fd", "1", command, *arguments, until).decode().splitlines()
        return next(line for line in status if "KEY_CREATED" in line).split()[-1]

    try:
        fingerprint = make("--quick-generate-key", name, primary, "cert,sign", at=born, expires_in=expires_in)
        encryption_subkey = None
        if encryption:
            later = born + _MINUTE / 2  # gpg refuses a subkey that is a second older than its key
            encryption_subkey = make(
                "--quick-add-key", fingerprint, subkey or primary, "encrypt", at=later, expires_in=subkey_expires_in
            )
        if revoked == "key":
            certificate = (home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
            gpg("--import", answers=certificate.replace(":-----BEGIN", "-----BEGIN"))
        elif revoked == "encryption subkey":
            gpg("--command-fd", "0", "--edit-key", fingerprint, "key 1", "revkey", "save", answers="y\n0\n\ny\n")
        public = gpg("--armor", "--export", fingerprint)
        private = gpg("--armor", "--export-secret-keys", fingerprint)
        return PgpKey(fingerprint, encryption_subkey, public, private, passphrase)
    finally:
        secret.unlink()
        end_agents(home)


def ssh_key(algorithm: SshAlgorithm = "ssh-ed25519") -> SshKey:
    """Make an SSH key pair without a passphrase."""
    key = asyncssh.generate_private_key(algorithm)
    return SshKey(key.export_private_key("openssh"), key.export_public_key("openssh").strip())


def host_key_line(host: str, port: int, public: bytes) -> str:
    """Return the line of a known_hosts file that pins `public` to a server."""
    address = host if port == 22 else f"[{host}]:{port}"
    return f"{address} {public.decode()}"


def _gpg(home: Path, *arguments: str, answers: str = "") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--yes", "--no-tty", "--pinentry-mode", "loopback", *arguments]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, input=answers.encode(), env=environment, check=True, capture_output=True).stdout
