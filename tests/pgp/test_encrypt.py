"""Sealing: what the partner opens is what went in, signed by us; a source that dies never leaves a valid file."""

import os
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pysequoia
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localcloud.keys import gnupg_home
from pipeline.budget import Budget
from pipeline.errors import OutOfTime, SealFailed
from pipeline.pgp.encrypt import encrypt
from pipeline.pgp.home import Gpg
from pipeline.pgp.keyring import Keyring
from tests.keyrings import People, busy, open_by_gpg, packets, ring, with_subkeys

BIG = [os.urandom(700_000) for _ in range(8)]


def sealed(keys: Keyring, chunks: list[bytes], compression: str = "none", extra: tuple[str, ...] = ()) -> bytes:
    """The whole message."""
    return b"".join(encrypt(iter(chunks), keys, compression=compression, budget=Budget.of(60), extra=extra))


def sealing(chunks: Iterator[bytes], keys: Keyring, seconds: float = 60) -> Generator[bytes, None, None]:
    """The message as it comes."""
    return encrypt(chunks, keys, compression="none", budget=Budget.of(seconds))


@settings(max_examples=12)
@given(st.lists(st.binary(max_size=2000), max_size=6))
@example([])
@example([b""])
@example([b"", b"a", b"", b"\r\n"])
@example(BIG)
def test_the_partner_opens_exactly_what_went_in_with_our_signature(who: People, chunks: list[bytes]) -> None:
    with ring(who) as keys:
        content, status = open_by_gpg(who, sealed(keys, chunks))
    assert content == b"".join(chunks)
    words = [line[0] for line in status]
    assert [line[1] for line in status if line[0] == "VALIDSIG"] == [who.signer.fingerprint]
    assert ("GOODMDC" in words, "DECRYPTION_OKAY" in words) == (True, True)


@pytest.mark.parametrize("chunks", [[b""], [b"a,b\r\n"], BIG], ids=["nothing", "little", "much"])
def test_another_implementation_of_openpgp_opens_and_verifies_it(
    who: People, keys: Keyring, chunks: list[bytes]
) -> None:
    tsk = pysequoia.Tsk.from_bytes(who.partner.private)
    ours = pysequoia.Cert.from_bytes(who.signer.public)
    opened = pysequoia.decrypt(decryptor=tsk.decryptor(), bytes=sealed(keys, chunks), store=lambda _: [ours])
    assert opened.bytes == b"".join(chunks)
    assert [signature.certificate.upper() for signature in opened.valid_sigs] == [who.signer.fingerprint]


def test_the_message_has_one_recipient_and_tells_no_file_name(who: People, keys: Keyring) -> None:
    listing = packets(who, sealed(keys, [b"a,b\r\n"]))
    assert listing.count(":pubkey enc packet:") == 1
    assert 'name=""' in listing
    assert who.partner.encryption_subkey_fingerprint is not None
    assert f"keyid {who.partner.encryption_subkey_fingerprint[-16:]}" in listing
    assert "mdc_method: 2" in listing


def test_an_extra_recipient_is_a_second_one(who: People, keys: Keyring) -> None:
    Gpg(keys.home).import_keys(who.stranger.public)
    listing = packets(who, sealed(keys, [b"a,b\r\n"], extra=(who.stranger.fingerprint,)))
    assert listing.count(":pubkey enc packet:") == 2


@pytest.mark.parametrize(
    ("compression", "algorithm"),
    [("none", None), ("zip:1", "algo=1"), ("zlib:6", "algo=2"), ("bzip2:9", "algo=3")],
)
def test_compression_is_as_the_setting_says(
    who: People, keys: Keyring, compression: str, algorithm: str | None
) -> None:
    content = b"ES7600000,EUR,12.00\r\n" * 20_000
    message = sealed(keys, [content], compression)
    listing = packets(who, message)
    assert (":compressed packet:" in listing) == (algorithm is not None)
    assert algorithm is None or f":compressed packet: {algorithm}" in listing
    assert (len(message) < len(content) / 10) == (algorithm is not None)
    assert open_by_gpg(who, message)[0] == content


def test_unsigned_by_setting_carries_no_signature(who: People) -> None:
    with ring(who, sign=False) as keys:
        message = sealed(keys, [b"a,b\r\n"])
    content, status = open_by_gpg(who, message)
    assert content == b"a,b\r\n"
    assert not {"VALIDSIG", "GOODSIG", "NEWSIG"} & {line[0] for line in status}
    assert "signature" not in packets(who, message)


def test_a_signature_by_a_signing_subkey_is_ours_too(who: People) -> None:
    with gnupg_home() as home:
        key = with_subkeys(home, "sign")
    with ring(who, signing=key.private, passphrase=b"none") as keys:
        message = sealed(keys, [b"a,b\r\n"])
        assert keys.signing is not None
        subkey = keys.signing.signers[1]
    assert f"issuer fpr v4 {subkey}" in packets(who, message)


def test_two_messages_of_the_same_bytes_differ_but_open_alike(who: People, keys: Keyring) -> None:
    one, other = sealed(keys, [b"same"]), sealed(keys, [b"same"])
    assert one != other
    assert open_by_gpg(who, one)[0] == open_by_gpg(who, other)[0] == b"same"


def test_sealed_bytes_leave_before_the_source_has_ended(keys: Keyring) -> None:
    given_away: list[int] = []

    def source() -> Iterator[bytes]:
        for number in range(64):
            given_away.append(number)
            yield os.urandom(1 << 20)

    stream = sealing(source(), keys)
    next(stream)
    next(stream)
    assert len(given_away) < 64
    stream.close()
    assert busy(keys.home) == []


class Broken(Exception):
    """The source's own."""


class Interrupted(BaseException):
    """What no `except Exception` stops."""


def dying(after: int, error: BaseException) -> Iterator[bytes]:
    """A source that fails after some chunks."""
    for _ in range(after):
        yield b"x" * 300_000
    raise error


def take(stream: Iterator[bytes], into: bytearray) -> None:
    """Keep what came, even where the stream ends in an error."""
    for piece in stream:
        into += piece


ERRORS: dict[str, Callable[[], BaseException]] = {
    "an error": Broken,
    "a pipeline error": lambda: OutOfTime("The time is over."),
    "an interrupt": Interrupted,
}


@pytest.mark.parametrize("after", [0, 1, 30], ids=["before the first chunk", "after one", "after many"])
@pytest.mark.parametrize("kind", ERRORS)
def test_a_source_that_fails_is_heard_and_leaves_nothing_that_opens(
    who: People, keys: Keyring, kind: str, after: int
) -> None:
    error = ERRORS[kind]()
    got = bytearray()
    with pytest.raises(type(error)) as caught:
        take(sealing(dying(after, error), keys), got)
    assert caught.value is error
    assert busy(keys.home) == []
    _, status = open_by_gpg(who, bytes(got))
    assert not {"GOODMDC", "DECRYPTION_OKAY", "VALIDSIG"} & {line[0] for line in status}


@pytest.mark.parametrize("taken", [0, 1, 5], ids=["before the first piece", "after one", "after some"])
def test_a_consumer_that_leaves_early_leaves_nothing_running(keys: Keyring, taken: int) -> None:
    closed: list[bool] = []

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield os.urandom(300_000)
        finally:
            closed.append(True)

    stream = sealing(endless(), keys)
    for _ in range(taken):
        next(stream)
    stream.close()
    assert busy(keys.home) == []
    assert closed == ([True] if taken else [])


def test_the_source_is_closed_when_the_message_is_whole(keys: Keyring) -> None:
    closed: list[bool] = []

    def source() -> Iterator[bytes]:
        try:
            yield b"x"
        finally:
            closed.append(True)

    list(sealing(source(), keys))
    assert closed == [True]
    assert busy(keys.home) == []


def test_the_budget_ends_the_stream_and_everything_behind_it(keys: Keyring) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield os.urandom(300_000)

    with pytest.raises(OutOfTime):
        deque(sealing(endless(), keys, seconds=0.5), maxlen=0)
    assert busy(keys.home) == []


def test_a_recipient_that_the_ring_does_not_hold_fails_the_seal(keys: Keyring) -> None:
    with pytest.raises(SealFailed, match="gpg"):
        sealed(keys, BIG, extra=("0" * 40,))
    assert busy(keys.home) == []


def test_a_second_signature_is_not_accepted(who: People, keys: Keyring) -> None:
    Gpg(keys.home).import_keys(who.stranger.private)
    (keys.home / "gpg.conf").write_text(f"local-user {who.stranger.fingerprint}\nlocal-user {who.signer.fingerprint}\n")
    with pytest.raises(SealFailed, match=r"one signature by .* was required"):
        sealed(keys, [b"x"])


def test_a_signature_by_another_key_is_not_accepted(who: People, keys: Keyring) -> None:
    Gpg(keys.home).import_keys(who.stranger.private)
    (keys.home / "gpg.conf").write_text(f"local-user {who.stranger.fingerprint}\n")
    with pytest.raises(SealFailed, match=f"gpg signed with .*{who.stranger.fingerprint}"):
        sealed(keys, [b"x"])


def test_a_cipher_other_than_aes_256_is_not_accepted(
    keys: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = tmp_path / "gpg"
    weak.write_text(f'#!/bin/bash\nexec {shutil.which("gpg")} "${{@/AES256/AES128}}"\n')
    weak.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SealFailed, match=r"mode and cipher 2 7; MDC and AES-256"):
        sealed(keys, [b"x"])
