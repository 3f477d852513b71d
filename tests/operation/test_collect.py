"""What the partner returns: fetched once, opened, its signature checked, archived, matched, reported; never deleted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud import keys
from localcloud.partner import faults
from localcloud.partner.running import Running, running
from tests.operation.operator import Operator


@dataclass(frozen=True)
class Returns:
    """A returns server of its own, with user, key and host key of its own, and files that the partner puts there."""

    operator: Operator
    server: Running
    settings: dict[str, str]
    ours: keys.PgpKey
    stranger: keys.PgpKey

    def put(self, name: str, content: bytes) -> None:
        (self.server.root / name).write_bytes(content)

    def collect(self, *words: str, code: int = 0, **settings: str) -> list[dict[str, Any]]:
        answer = self.operator.answer("collect", *words, code=code, **{**self.settings, **settings})
        return list(answer)

    def sealed(self, content: bytes, *, signer: keys.PgpKey | None, to: keys.PgpKey | None = None) -> bytes:
        """A message as the partner makes it: to us unless said otherwise, signed where a signer is named."""
        with keys.gnupg_home() as home:
            recipient = to or self.ours
            for material in (recipient.public, *([signer.private] if signer else [])):
                gpg(home, "--import", content=material)
            signing = ["--sign", "--local-user", signer.fingerprint] if signer else []
            words = ("--recipient", recipient.fingerprint, "--trust-model", "always", *signing, "--encrypt")
            return gpg(home, *words, content=content)

    def fetched(self) -> list[str]:
        return [Path(entry.path).name for entry in self.server.entries() if entry.operation == "read"]


def gpg(home: Path, *words: str, content: bytes) -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    return subprocess.run([*command, *words], input=content, check=True, capture_output=True).stdout


@pytest.fixture
def returns(operator: Operator, tmp_path: Path) -> Iterator[Returns]:
    """The returns server, and a signing key of ours that others can encrypt to."""
    with keys.gnupg_home() as home:
        ours = keys.pgp_key(home, "PSP <psp@example.com>", passphrase="correct horse")
        stranger = keys.pgp_key(home, "Stranger <stranger@example.com>")
    with running(tmp_path, "aws") as server, operator.secret("pgp-signing-key", ours.private):
        operator.deployment.cloud.add_secret("returns-key", server.client_key.private)
        operator.deployment.cloud.add_secret("returns-host-keys", server.host_key.public)
        settings = {
            "RETURNS_HOST": server.host,
            "RETURNS_PORT": str(server.port),
            "RETURNS_USER": server.user,
            "RETURNS_KEY_SECRET": "returns-key",
            "RETURNS_HOST_KEYS_SECRET": "returns-host-keys",
        }
        yield Returns(operator, server, settings, ours, stranger)


def test_files_are_fetched_once_archived_and_never_deleted(returns: Returns) -> None:
    returns.put("note.txt", b"hello")
    (one,) = returns.collect()
    assert (one["file_name"], one["size"], one["signature"], one["dataset"]) == ("note.txt", 5, "not encrypted", None)
    archived = returns.operator.deployment.cloud.storage.bucket("archive").blob(one["archived"]["name"])
    assert archived.download_as_bytes() == b"hello"
    assert returns.collect() == []
    assert returns.fetched() == ["note.txt"]
    assert (returns.server.root / "note.txt").exists()


def test_a_file_that_came_again_with_another_content_is_another_file(returns: Returns) -> None:
    returns.put("twice.txt", b"one")
    returns.collect()
    returns.put("twice.txt", b"another")
    assert [one["size"] for one in returns.collect()] == [7]


@pytest.mark.parametrize(
    ("who", "signature"),
    [("partner", "good, by the partner"), ("stranger", "by a key that is not known"), ("", "none")],
)
def test_what_is_encrypted_to_us_is_opened_and_its_signature_reported(
    returns: Returns, who: str, signature: str
) -> None:
    signer = {"partner": returns.operator.deployment.cloud.partner_key, "stranger": returns.stranger}.get(who)
    returns.put(f"report-{who}.pgp", returns.sealed(b"all well", signer=signer))
    (one,) = returns.collect()
    assert one["signature"] == signature
    opened = returns.operator.deployment.cloud.storage.bucket("archive").blob(one["opened"]["name"])
    assert opened.download_as_bytes() == b"all well"


def test_a_signature_that_does_not_fit_its_content_is_called_bad_and_its_file_kept_closed(returns: Returns) -> None:
    partner = returns.operator.deployment.cloud.partner_key
    with keys.gnupg_home() as home:
        for material in (returns.ours.public, partner.private):
            gpg(home, "--import", content=material)
        signed = gpg(home, "--sign", "--compress-algo", "none", "--local-user", partner.fingerprint, content=b"pay 100")
        words = ("--no-literal", "--recipient", returns.ours.fingerprint, "--trust-model", "always", "--encrypt")
        returns.put("changed.pgp", gpg(home, *words, content=signed.replace(b"pay 100", b"pay 900")))
    (one,) = returns.collect()
    assert (one["signature"], one["opened"]) == ("bad, so it was not opened", None)


def test_a_message_that_was_damaged_on_its_way_is_called_so(returns: Returns) -> None:
    sealed = bytearray(returns.sealed(b"all well", signer=None))
    sealed[-5] ^= 1
    returns.put("damaged.pgp", bytes(sealed))
    (one,) = returns.collect()
    assert (one["signature"], one["opened"]) == ("damaged", None)


def test_what_we_cannot_open_is_kept_as_it_came(returns: Returns) -> None:
    returns.put("foreign.pgp", returns.sealed(b"secret", signer=None, to=returns.stranger))
    (one,) = returns.collect()
    assert (one["opened"], one["signature"]) == (None, "encrypted, but not to a key of ours")


def test_what_is_encrypted_with_a_passphrase_alone_is_not_called_plain(returns: Returns) -> None:
    with keys.gnupg_home() as home:
        words = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", "--passphrase", "theirs"]
        message = subprocess.run([*words, "--symmetric"], input=b"secret", check=True, capture_output=True).stdout
    returns.put("passphrase.pgp", message)
    (one,) = returns.collect()
    assert (one["opened"], one["signature"]) == (None, "encrypted, but not to a key of ours")


def test_an_error_file_is_matched_to_its_delivery_reported_loudly_and_shown_by_status(returns: Returns) -> None:
    hour = returns.operator.delivered()
    sent = returns.operator.file(hour).name
    returns.put(f"ERROR_{sent}.txt", b"line 3: bad IBAN")
    returns.put(f"{sent}.ack", b"ok")
    result = returns.operator.run("collect", "--json", "--log", "-", **returns.settings)
    assert result.exit_code == 1
    events = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    answer = {event["file"]: event for event in events if event["event"].startswith("returns.")}
    assert {name: event["severity"] for name, event in answer.items()} == {
        f"ERROR_{sent}.txt": "ERROR",
        f"{sent}.ack": "NOTICE",
    }
    assert {event["revision"] for event in answer.values()} == {1}
    shown = returns.operator.full(hour)["returned"]
    assert {one["file_name"]: one["error"] for one in shown} == {f"ERROR_{sent}.txt": True, f"{sent}.ack": False}
    assert {datetime.fromisoformat(one["start"]) for one in shown} == {datetime.fromisoformat(hour)}
    assert "ERROR_payments" in returns.operator.run("status", "payments", hour).stdout


def test_what_is_an_error_file_is_a_setting(returns: Returns) -> None:
    returns.put("NACK_1.txt", b"")
    (one,) = returns.collect(code=1, RETURNS_ERROR_PATTERN="^NACK")
    assert one["error"] is True


def test_files_are_deleted_at_the_partner_only_as_set_and_only_once_archived(
    returns: Returns,
) -> None:
    returns.put("first.txt", b"one")
    returns.collect()
    returns.put("second.txt", b"two")
    returns.collect(RETURNS_DELETE="true")
    assert list(returns.server.root.iterdir()) == []
    assert returns.fetched() == ["first.txt", "second.txt"]


def test_a_file_that_is_not_there_whole_yet_is_left_for_the_next_run(returns: Returns) -> None:
    returns.put("growing.txt", b"all of it")
    returns.server.order(faults.Fault(operation="read", action="short", after_bytes=3, name="growing.txt"))
    assert returns.collect(RETURNS_DELETE="true") == []
    assert (returns.server.root / "growing.txt").exists()
    assert [one["size"] for one in returns.collect()] == [9]


def test_one_file_that_cannot_be_fetched_stops_no_other(returns: Returns) -> None:
    with (returns.server.root / "huge.bin").open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    returns.put("small.txt", b"fine")
    result = returns.operator.run("collect", "--json", "--log", "-", **returns.settings)
    answer = {one["file_name"]: one for one in json.loads(result.stdout)}
    assert {name: one["outcome"] for name, one in answer.items()} == {"huge.bin": "skipped", "small.txt": "collected"}
    assert '"event": "returns.failed"' in result.stderr
    assert "huge.bin: It is larger than 67108864 bytes" in result.stderr
    assert '"event": "returns.error"' not in result.stderr
    (returns.server.root / "huge.bin").unlink()


def test_the_returns_server_is_pinned_like_any_other(returns: Returns) -> None:
    with returns.operator.secret("returns-host-keys", keys.ssh_key().public):
        answer = returns.operator.answer("collect", code=3, **returns.settings)
        assert answer["error"]["code"] == "partner-untrusted"
        states = returns.operator.answer("keys", code=1, **returns.settings)
    assert [state["key"] for state in states if state["trouble"]] == ["SSH keys of the returns server"]
