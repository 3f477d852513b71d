"""Opening again: what the partner would find is found first, and every damage on the way is caught."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.keys import gnupg_home
from pipeline.budget import Budget
from pipeline.errors import OpenedDiffers, OutOfTime, SealFailed
from pipeline.pgp.encrypt import encrypt
from pipeline.pgp.home import Gpg
from pipeline.pgp.keyring import Keyring
from pipeline.pgp.packets import without_recipient
from pipeline.pgp.reopen import Opener, opening
from pipeline.records.schema import Opened
from tests.keyrings import People, busy, gpg, open_by_gpg, packets, ring, with_subkeys

CONTENT = b"id,text\r\n" + b"".join(b"k%d,value of a row\r\n" % number for number in range(20_000))


@pytest.fixture
def opener(keys: Keyring) -> Iterator[Opener]:
    """An opener for what the ring of the test seals."""
    with opening(keys, Budget.of(60)) as made:
        yield made


def signers(keys: Keyring) -> tuple[str, ...]:
    """Whose signature is expected."""
    return keys.signing.signers if keys.signing else ()


def message(keys: Keyring, opener: Opener, content: bytes = CONTENT, compression: str = "none") -> bytes:
    """The content sealed to the partner and to the opener."""
    budget = Budget.of(60)
    return b"".join(encrypt(iter([content]), keys, compression=compression, budget=budget, extra=(opener.recipient,)))


def verdict(opener: Opener, chunks: Iterator[bytes] | list[bytes], expected: tuple[str, ...]) -> Opened:
    """What the opener makes of a stream that passes it as the pipeline's does."""
    stream = without_recipient(opener.decrypting(chunks), opener.key_ids)
    with closing(stream):
        for _ in stream:
            pass
    return opener.plaintext(expected)


@settings(max_examples=8)
@given(st.binary(max_size=3000), st.sampled_from(["none", "zlib:1"]))
def test_a_whole_message_opens_to_what_went_in_signed_by_us(who: People, content: bytes, compression: str) -> None:
    with ring(who) as keys, opening(keys, Budget.of(60)) as opener:
        found = verdict(opener, [message(keys, opener, content, compression)], signers(keys))
    assert found == Opened(hashlib.sha256(content).hexdigest(), len(content), who.signer.fingerprint)


@pytest.mark.parametrize("size", [1000, 100_000, 10_000_000])
def test_how_the_stream_was_cut_does_not_matter(who: People, keys: Keyring, opener: Opener, size: int) -> None:
    whole = message(keys, opener)
    chunks = [whole[start : start + size] for start in range(0, len(whole), size)]
    assert verdict(opener, chunks, signers(keys)).size == len(CONTENT)


def test_what_passes_on_is_for_the_partner_alone_and_opens_with_its_key(
    who: People, keys: Keyring, opener: Opener
) -> None:
    stream = without_recipient(opener.decrypting([message(keys, opener)]), opener.key_ids)
    theirs = b"".join(stream)
    opener.plaintext(signers(keys))
    assert packets(who, theirs).count(":pubkey enc packet:") == 1
    content, status = open_by_gpg(who, theirs)
    assert content == CONTENT
    assert ["VALIDSIG", who.signer.fingerprint] in [line[:2] for line in status]


def test_the_throw_away_key_opens_nothing_that_passed_on(who: People, keys: Keyring, opener: Opener) -> None:
    home = home_of(opener)
    theirs = b"".join(without_recipient(opener.decrypting([message(keys, opener)]), opener.key_ids))
    assert gpg(home, "--decrypt", data=theirs).returncode != 0


def home_of(opener: Opener) -> Path:
    """Where the throw-away key is: nobody but a test has to know."""
    return Path(opener._gpg.gnupghome)


def test_a_signature_by_a_signing_subkey_is_accepted(who: People) -> None:
    with gnupg_home() as home:
        key = with_subkeys(home, "sign")
    with ring(who, signing=key.private, passphrase=b"none") as keys, opening(keys, Budget.of(60)) as opener:
        found = verdict(opener, [message(keys, opener)], signers(keys))
        assert found.signer in signers(keys)[1:]


def test_an_unsigned_message_is_accepted_where_none_is_expected(who: People) -> None:
    with ring(who, sign=False) as keys, opening(keys, Budget.of(60)) as opener:
        assert verdict(opener, [message(keys, opener)], ()).signer is None


def changed(content: bytes, position: int) -> bytes:
    """The bytes with one bit turned."""
    damaged = bytearray(content)
    damaged[position] ^= 1
    return bytes(damaged)


@settings(max_examples=15)
@given(where=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_in_the_data_is_caught(who: People, where: float, bit: int) -> None:
    with ring(who) as keys, opening(keys, Budget.of(60)) as opener:
        whole = bytearray(message(keys, opener, CONTENT[:5000]))
        start = data_start(bytes(whole))
        whole[start + round(where * (len(whole) - 1 - start))] ^= 1 << bit
        assert refused(opener, [bytes(whole)], signers(keys))


def data_start(whole: bytes) -> int:
    """Where the encrypted data begins, behind the session keys of both recipients."""
    position = 0
    while whole[position] in (0x84, 0x85, 0xC1):
        size = 1 if whole[position] == 0x84 else 2
        position += 1 + size + int.from_bytes(whole[position + 1 : position + 1 + size], "big")
    assert position > 0
    return position


def refused(opener: Opener, chunks: list[bytes], expected: tuple[str, ...]) -> bool:
    """Whether the pipeline's way with this stream ends in an error of the right kind."""
    try:
        verdict(opener, chunks, expected)
    except (OpenedDiffers, SealFailed):
        return True
    return False


DAMAGES: dict[str, Callable[[bytes], list[bytes]]] = {
    "nothing": lambda whole: [],
    "nothing but empty chunks": lambda whole: [b"", b""],
    "only the session keys": lambda whole: [whole[:200]],
    "half of it": lambda whole: [whole[: len(whole) // 2]],
    "the last byte missing": lambda whole: [whole[:-1]],
    "the last chunk missing": lambda whole: [whole[:-100_000]],
    "a byte in front": lambda whole: [b"\0" + whole],
    "a byte behind": lambda whole: [whole + b"\0"],
    "a line behind": lambda whole: [whole, b"\r\n"],
    "a literal packet behind": lambda whole: [whole, b"\xcb\x08b\x00\0\0\0\0hi"],
    "a marker packet behind": lambda whole: [whole, b"\xca\x03PGP"],
    "the message twice": lambda whole: [whole, whole],
    "a chunk twice": lambda whole: [whole[:300_000], whole[200_000:300_000], whole[300_000:]],
    "a chunk missing": lambda whole: [whole[:200_000], whole[300_000:]],
    "two chunks swapped": lambda whole: [whole[:100_000], whole[200_000:], whole[100_000:200_000]],
    "the plain text itself": lambda whole: [CONTENT],
    "zeros": lambda whole: [bytes(len(whole))],
    "a bit in the last byte": lambda whole: [changed(whole, len(whole) - 1)],
    "a bit of the first length": lambda whole: [changed(whole, 1)],
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_stream_is_caught(who: People, keys: Keyring, opener: Opener, case: str) -> None:
    chunks = DAMAGES[case](message(keys, opener))
    with pytest.raises((OpenedDiffers, SealFailed)):
        verdict(opener, chunks, signers(keys))
    assert busy(home_of(opener)) == []


def test_a_message_to_the_partner_alone_is_one_that_we_cannot_open(who: People, keys: Keyring, opener: Opener) -> None:
    alone = encrypt(iter([CONTENT]), keys, compression="none", budget=Budget.of(60))
    for _ in opener.decrypting(alone):
        pass
    with pytest.raises(OpenedDiffers, match="gpg does not open the sealed file as the partner would: not decrypted"):
        opener.plaintext(signers(keys))


def test_a_signature_by_another_key_is_caught(who: People, keys: Keyring) -> None:
    with ring(who, signing=who.stranger.private) as theirs, opening(keys, Budget.of(60)) as opener:
        Gpg(theirs.home).import_keys(Gpg(home_of(opener)).export_keys(opener.recipient))
        with pytest.raises(OpenedDiffers, match="unknown signer"):
            verdict(opener, [message(theirs, opener)], signers(keys))


def test_a_good_signature_by_a_key_that_was_not_expected_is_caught(who: People, keys: Keyring, opener: Opener) -> None:
    with pytest.raises(OpenedDiffers, match=f"another signer.*signed by {who.signer.fingerprint}"):
        verdict(opener, [message(keys, opener)], (who.stranger.fingerprint,))


def test_a_missing_signature_is_caught(who: People, keys: Keyring, opener: Opener) -> None:
    with pytest.raises(OpenedDiffers, match=r"not signed.*signed by nobody"):
        verdict(opener, [message(replace(keys, signing=None), opener)], signers(keys))


def test_a_signature_that_was_not_asked_for_is_caught(who: People, keys: Keyring, opener: Opener) -> None:
    with pytest.raises(OpenedDiffers, match=r"another signer.*nobody was expected"):
        verdict(opener, [message(keys, opener)], ())


def test_two_signatures_are_one_too_many(who: People, keys: Keyring) -> None:
    with gnupg_home() as home, opening(keys, Budget.of(60)) as opener:
        gpg(home, "--import", data=who.signer.private)
        gpg(home, "--import", data=who.stranger.private)
        gpg(home, "--import", data=who.partner.public)
        gpg(home, "--import", data=Gpg(home_of(opener)).export_keys(opener.recipient).encode())
        both = gpg(
            home,
            *["--passphrase", str(who.signer.passphrase), "--sign", "--encrypt", "--compress-algo", "none"],
            *["-u", who.signer.fingerprint, "-u", who.stranger.fingerprint],
            *["-r", who.partner.fingerprint, "-r", opener.recipient],
            data=CONTENT,
        ).stdout
        assert both
        with pytest.raises(OpenedDiffers):
            verdict(opener, [both], signers(keys))


def test_other_plain_text_shows_in_digest_and_length(who: People, keys: Keyring, opener: Opener) -> None:
    found = verdict(opener, [message(keys, opener, CONTENT + b"one row more\r\n")], signers(keys))
    assert found.size == len(CONTENT) + 14
    assert found.sha256 != hashlib.sha256(CONTENT).hexdigest()


def test_a_verdict_that_is_asked_for_too_early_is_no_good_one(keys: Keyring) -> None:
    with opening(keys, Budget.of(60)) as opener, pytest.raises(OpenedDiffers, match="could not be opened again"):
        opener.plaintext(signers(keys))


def test_an_opener_is_gone_however_far_it_was(keys: Keyring) -> None:
    with opening(keys, Budget.of(60)) as opener:
        home = home_of(opener)
        stream = opener.decrypting([message(keys, opener), b"more"])
        next(stream)
        stream.close()
        assert busy(home) == []


def test_an_error_of_the_stream_passes_the_opener_and_ends_it(keys: Keyring, opener: Opener) -> None:
    class Broken(Exception):
        pass

    def source() -> Iterator[bytes]:
        yield os.urandom(100)
        raise Broken

    with pytest.raises(Broken):
        list(opener.decrypting(source()))
    assert busy(home_of(opener)) == []


def test_the_budget_ends_an_opener(keys: Keyring) -> None:
    with opening(keys, Budget(0, 1)) as opener:
        with pytest.raises(OutOfTime):
            list(opener.decrypting([b"x"] * 100))
        assert busy(home_of(opener)) == []
