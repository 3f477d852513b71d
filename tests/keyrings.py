"""Key rings for tests: keys made at run time, secrets in memory, and a real gpg to look at what came out."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from localcloud.keys import PgpKey, gnupg_home, pgp_key
from pipeline.budget import Budget
from pipeline.clients.secretmanager import Credentials, Secret
from pipeline.pgp.keyring import Keyring, keyring
from pipeline.settings import Settings, from_environment
from pipeline.streams.background import PREFIX

SETTINGS: Final = {
    "GOOGLE_CLOUD_PROJECT": "psp",
    "BIGQUERY_DATASET": "amazon_pspp",
    "ARCHIVE_BUCKET": "archive",
    "RECORDS_BUCKET": "records",
    "TOPIC": "amazon-pspp",
    "REJECTED_TOPIC": "amazon-pspp-rejected",
    "SFTP_HOST": "sftp.example.com",
    "SFTP_USER": "psp",
}
PARTNER: Final = "pgp-partner-key"
SIGNING: Final = "pgp-signing-key"
PASSPHRASE: Final = "pgp-signing-passphrase"
SOMEBODY: Final = "Somebody <somebody@example.com>"


@dataclass(frozen=True, slots=True)
class People:
    """The partner, us with a passphrase, and a stranger who signs as well."""

    partner: PgpKey
    signer: PgpKey
    stranger: PgpKey


def people() -> People:
    """Three fresh keys."""
    with gnupg_home() as home:
        return People(
            pgp_key(home, "Partner <partner@example.com>"),
            pgp_key(home, "PSP <psp@example.com>", encryption=False, passphrase="correct horse ü"),
            pgp_key(home, "Stranger <stranger@example.com>"),
        )


def with_subkeys(home: Path, *usages: str) -> PgpKey:
    """A key whose primary only certifies, with subkeys of these usages; `usage/expiry` gives one a lifetime."""
    fingerprint = _generate(home, "ed25519", "cert")
    for usage in usages:
        work, _, expiry = usage.partition("/")
        add_subkey(home, fingerprint, "cv25519" if work == "encr" else "ed25519", work, expiry or "0")
    return _exported(home, fingerprint)


def of_algorithm(home: Path, primary: str, encryption: str = "") -> PgpKey:
    """A key that certifies and signs with the algorithm `primary`; `encryption` is that of a subkey."""
    fingerprint = _generate(home, primary, "cert,sign")
    if encryption:
        add_subkey(home, fingerprint, encryption, "encr")
    return _exported(home, fingerprint)


def add_subkey(home: Path, fingerprint: str, algorithm: str, work: str, expiry: str = "0") -> None:
    """One more subkey to a key of that home."""
    added = gpg(home, "--passphrase", "", "--quick-add-key", fingerprint, algorithm, work, expiry)
    assert added.returncode == 0, added.stderr


def _generate(home: Path, algorithm: str, work: str) -> str:
    made = gpg(home, "--passphrase", "", "--status-fd", "1", "--quick-generate-key", SOMEBODY, algorithm, work, "0")
    return made.stdout.decode().split("KEY_CREATED")[1].split()[1]


def _exported(home: Path, fingerprint: str) -> PgpKey:
    public = gpg(home, "--armor", "--export", fingerprint).stdout
    private = gpg(home, "--passphrase", "", "--armor", "--export-secret-keys", fingerprint).stdout
    return PgpKey(fingerprint, None, public, private, None)


class Held(Credentials):
    """Secrets in memory in the place of Secret Manager; each has the version 7."""

    def __init__(self, values: Mapping[str, bytes], seconds: float = 60) -> None:
        self._values = values
        self._budget = Budget.of(seconds)

    def read(self, name: str) -> Secret:
        """The value."""
        self._budget.left()
        return Secret(name, "7", self._values[name])


def settings(**values: str) -> Settings:
    """The least settings, and these."""
    return from_environment({**SETTINGS, **values})


def secrets(
    who: People, partner: bytes | None = None, signing: bytes | None = None, passphrase: bytes | None = None
) -> dict[str, bytes]:
    """The secrets as they should be, or with another value in the place of one."""
    return {
        PARTNER: who.partner.public if partner is None else partner,
        SIGNING: who.signer.private if signing is None else signing,
        PASSPHRASE: f"{who.signer.passphrase}\n".encode() if passphrase is None else passphrase,
    }


@contextmanager
def ring(
    who: People,
    *,
    sign: bool = True,
    partner: bytes | None = None,
    signing: bytes | None = None,
    passphrase: bytes | None = None,
) -> Iterator[Keyring]:
    """A key ring of these secrets."""
    held = Held(secrets(who, partner, signing, passphrase))
    with keyring(settings(PGP_SIGN=str(sign)), held) as keys:
        yield keys


def gpg(home: Path, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the real gpg without a question, and without its agent's long measuring of how much hashing is bearable."""
    (home / "gpg-agent.conf").write_text("s2k-count 65536\n")
    command = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--trust-model", "always"]
    return subprocess.run([*command, *arguments], input=data, capture_output=True, timeout=60, check=False)


def packets(who: People, sealed: bytes) -> str:
    """What `gpg --list-packets` says of a message to the partner."""
    with gnupg_home() as home:
        gpg(home, "--import", data=who.partner.private)
        return gpg(home, "--list-packets", data=sealed).stdout.decode()


def open_by_gpg(who: People, sealed: bytes) -> tuple[bytes, list[list[str]]]:
    """What the partner's gpg makes of a message, and its status lines; it knows our public key."""
    with gnupg_home() as home:
        gpg(home, "--import", data=who.partner.private)
        gpg(home, "--import", data=who.signer.public)
        done = gpg(home, "--status-fd", "2", "--decrypt", data=sealed)
    lines = done.stderr.decode(errors="replace").splitlines()
    return done.stdout, [line.split()[1:] for line in lines if line.startswith("[GNUPG:] ")]


def busy(home: Path) -> list[str]:
    """What still works for a home: its gpg, running or not yet waited for, and threads of the pipeline."""
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith(PREFIX)]
    children = [child.name() for child in psutil.Process().children()]
    return [name for name in (*children, *processes(home)) if name == "gpg"] + threads


def processes(home: Path) -> list[str]:
    """Names of all processes of this machine that work in `home`."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(home) in word for word in process.cmdline()):
                found.append(process.name())
        except psutil.Error:  # it ended while we looked
            continue
    return found


PATIENCE: Final = 20.0
"""Seconds; an agent that has said that it ends takes a moment to do so."""


def wait_until_gone(home: Path) -> bool:
    """Whether directory and processes went within PATIENCE."""
    end = time.monotonic() + PATIENCE
    while home.exists() or processes(home):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
