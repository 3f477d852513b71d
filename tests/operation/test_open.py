"""`open`: a sealed or archived file for an audit; nothing is given away before something vouches for it."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localcloud import keys
from tests.operation.operator import Operator


@pytest.fixture
def key(operator: Operator, tmp_path: Path) -> Path:
    """The partner's private key as a file."""
    path = tmp_path / "partner.asc"
    path.write_bytes(operator.deployment.cloud.partner_key.private)
    return path


def test_a_file_at_the_partner_opens_to_what_was_archived_and_its_signature_is_reported(
    operator: Operator, key: Path, tmp_path: Path
) -> None:
    hour = operator.delivered(6)
    csv = operator.deployment.cloud.storage.bucket("archive").blob(operator.archived(hour, ".csv")).download_as_bytes()
    output = tmp_path / "rows.csv"
    result = operator.run("open", str(operator.file(hour)), "--key", str(key), "--output", str(output))
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"signature good, by {operator.deployment.cloud.signing_key.fingerprint}" in result.stderr
    assert output.read_bytes() == csv
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert operator.run("open", str(operator.file(hour)), "--key", str(key)).stdout_bytes == csv


def test_an_archived_object_is_held_against_the_digest_in_its_record(
    operator: Operator, key: Path, tmp_path: Path
) -> None:
    hour = operator.delivered(6)
    for suffix, words in ((".csv", ()), (".pgp", ("--key", str(key)))):
        name = operator.archived(hour, suffix)
        output = tmp_path / f"rows{suffix}"
        answer = operator.answer("open", f"gs://archive/{name}", *words, "--output", str(output))
        assert answer["bytes"] == output.stat().st_size
        assert "is that of its sealed record" in answer["proof"]
        operator.deployment.cloud.storage.bucket("archive").blob(name).upload_from_string(b"payment_id\r\n")
        answer = operator.answer("open", f"gs://archive/{name}", *words, "--output", str(tmp_path / "no"), code=4)
        assert answer["error"]["code"] == "archive-damaged"
        assert not (tmp_path / "no").exists()


def test_the_passphrase_comes_from_the_environment(operator: Operator, tmp_path: Path) -> None:
    with keys.gnupg_home() as home:
        theirs = keys.pgp_key(home, "Partner <partner@example.com>", passphrase="open sesame")
    hour = operator.hour(3)
    with operator.secret("pgp-partner-key", theirs.public):
        operator.answer("deliver", "--start", hour, "--dataset", "payments")
    path = tmp_path / "key.asc"
    path.write_bytes(theirs.private)
    words = ("open", str(operator.file(hour)), "--key", str(path))
    assert operator.run(*words, OPEN_PASSPHRASE="open sesame").exit_code == 0
    for wrong in ("wrong", ""):
        result = operator.run(*words, OPEN_PASSPHRASE=wrong)
        assert (result.exit_code, result.stdout) == (4, "")
        assert "The passphrase is not that of the key." in result.stderr


def test_what_nothing_vouches_for_is_not_given_away(operator: Operator, key: Path, tmp_path: Path) -> None:
    hour = operator.delivered(6)
    file = operator.file(hour)
    stranger = tmp_path / "stranger.asc"
    with keys.gnupg_home() as home:
        other = keys.pgp_key(home, "Stranger <stranger@example.com>")
    stranger.write_bytes(other.private)
    damaged = tmp_path / "damaged.pgp"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    short = tmp_path / "short.pgp"
    short.write_bytes(file.read_bytes()[:-100])
    for words, said in (
        ((str(file), "--key", str(stranger)), "not the one that the file is encrypted to"),
        ((str(file), "--key", str(key), "--signer", str(stranger)), "not by the signer's key"),
        ((str(file), "--key", str(key), "--unsigned"), "not by the signer's key"),
        ((str(damaged), "--key", str(key)), "The signature is bad|it is damaged"),  # by what the bit was of
        ((str(short), "--key", str(key)), "gpg cannot open the file"),
        ((str(tmp_path / "absent.pgp"), "--key", str(key)), "cannot be read"),
        (("gs://archive/absent",), "There is no object"),
        ((str(file), "--key", str(file)), "gpg finds 0 PGP keys"),
    ):
        result = operator.run("open", *words)
        assert (result.exit_code, result.stdout) == (4, ""), words
        assert re.search(said, result.stderr), result.stderr


def test_a_sealed_file_needs_a_key_and_says_so(operator: Operator) -> None:
    hour = operator.delivered(6)
    result = operator.run("open", str(operator.file(hour)))
    assert result.exit_code == 2
    assert "--key FILE" in result.stderr


def test_a_csv_of_this_machine_is_given_with_the_word_that_nothing_vouches_for_it(
    operator: Operator, tmp_path: Path
) -> None:
    path = tmp_path / "some.csv"
    path.write_bytes(b"a,b\r\n")
    result = operator.run("open", str(path))
    assert (result.exit_code, result.stdout_bytes) == (0, b"a,b\r\n")
    assert "nothing vouches for it" in result.stderr


@contextmanager
def slow_gpg(monkeypatch: pytest.MonkeyPatch, directory: Path, seconds: float) -> Iterator[None]:
    """The real gpg, which takes so long before it decrypts."""
    real = shutil.which("gpg")
    slow = directory / "bin" / "gpg"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ncase "$*" in *--decrypt*) sleep {seconds};; esac\nexec {real} "$@"\n')
    slow.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
        yield


def test_a_file_that_takes_longer_than_an_answer_about_keys_opens(
    operator: Operator, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = operator.delivered(6)
    with slow_gpg(monkeypatch, key.parent, seconds=5):
        monkeypatch.setattr("pipeline.pgp.home.ANSWER_SECONDS", 4.0)
        result = operator.run("open", str(operator.file(hour)), "--key", str(key))
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_a_key_that_was_saved_on_windows_opens_a_file(operator: Operator, key: Path, mark: bytes) -> None:
    hour = operator.delivered(6)
    key.write_bytes(mark + key.read_bytes().replace(b"\n", b"\r\n"))
    assert operator.run("open", str(operator.file(hour)), "--key", str(key)).exit_code == 0
