"""OpenPGP framing: one recipient's packet is left out, the rest passes untouched however the stream was cut."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SealFailed
from pipeline.pgp.packets import LARGEST, without_recipient

PARTNER = bytes.fromhex("0123456789ABCDEF")
THROW_AWAY = bytes.fromhex("FEDCBA9876543210")
OURS = frozenset({THROW_AWAY.hex().upper()})
DATA = b"\xd2\xff\x00\x00\x00\x2a" + bytes(range(42))
"""An encrypted data packet (tag 18) with a length of five octets."""


def old(tag: int, body: bytes, octets: int) -> bytes:
    """A packet with a header in the old format and a length of 1, 2 or 4 octets."""
    return bytes([0x80 | tag << 2 | {1: 0, 2: 1, 4: 2}[octets]]) + len(body).to_bytes(octets, "big") + body


def new(tag: int, body: bytes, octets: int) -> bytes:
    """A packet with a header in the new format and a length of 1, 2 or 5 octets."""
    size = len(body)
    length = {
        1: lambda: bytes([size]),
        2: lambda: bytes([192 + (size - 192 >> 8), size - 192 & 255]),
        5: lambda: b"\xff" + size.to_bytes(4, "big"),
    }[octets]()
    return bytes([0xC0 | tag]) + length + body


def session_key(key_id: bytes, secret: bytes = b"\x12" * 60) -> bytes:
    """The body of a public-key encrypted session key packet, version 3."""
    return b"\x03" + key_id + b"\x12" + secret


def framed(body: bytes) -> list[bytes]:
    """The packet in every header that its length allows."""
    long = [new(1, body, 2)] if len(body) >= 192 else [new(1, body, 1)]
    short = [old(1, body, 1)] if len(body) < 256 else []
    return [*short, old(1, body, 2), old(1, body, 4), *long, new(1, body, 5)]


BODIES = st.binary(min_size=1, max_size=400)
MESSAGES = st.builds(
    lambda partner, ours, data: (partner, ours, data),
    BODIES.flatmap(lambda secret: st.sampled_from(framed(session_key(PARTNER, secret)))),
    BODIES.flatmap(lambda secret: st.sampled_from(framed(session_key(THROW_AWAY, secret)))),
    st.binary(max_size=300).map(lambda body: DATA + body),
)


@given(MESSAGES, st.booleans(), st.lists(st.integers(0, 1200), max_size=20))
def test_the_rest_of_a_message_is_untouched_however_it_was_cut(
    message: tuple[bytes, bytes, bytes], ours_first: bool, cuts: list[int]
) -> None:
    partner, ours, data = message
    whole = (ours + partner if ours_first else partner + ours) + data
    bounds = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    chunks = [whole[start:end] for start, end in pairwise(bounds)]
    assert b"".join(without_recipient(chunks, OURS)) == partner + data


def test_bytes_one_by_one_are_enough() -> None:
    whole = new(1, session_key(PARTNER), 1) + new(1, session_key(THROW_AWAY), 1) + DATA
    assert b"".join(without_recipient((bytes([octet]) for octet in whole), OURS)) == whole.replace(
        new(1, session_key(THROW_AWAY), 1), b""
    )


def test_the_data_passes_as_it_comes_and_is_never_gathered() -> None:
    taken: list[int] = []

    def chunks() -> Iterator[bytes]:
        yield new(1, session_key(THROW_AWAY), 1) + DATA
        for number in range(3):
            taken.append(number)
            yield b"\x00" * 1000

    stream = without_recipient(chunks(), OURS)
    assert next(stream) == DATA
    assert taken == []
    assert next(stream) == b"\x00" * 1000
    assert taken == [0]


def test_data_in_pieces_of_unknown_length_passes() -> None:
    partial = b"\xd2\xe9" + bytes(512) + b"\x03abc"
    assert b"".join(without_recipient([new(1, session_key(THROW_AWAY), 1), partial], OURS)) == partial


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "ended before its encrypted data"),
    "a message that ends in a header": (b"\xc1", "ended before its encrypted data"),
    "a message that ends in a session key": (new(1, session_key(THROW_AWAY), 1)[:20], "ended before"),
    "a message without data": (new(1, session_key(THROW_AWAY), 1), "ended before its encrypted data"),
    "armor": (b"-----BEGIN PGP MESSAGE-----", "is not binary OpenPGP"),
    "a marker in front": (new(10, b"PGP", 1) + DATA, "packet of type 10 before its encrypted data"),
    "a literal": (old(11, b"b\x00" + bytes(4) + b"x", 1), "packet of type 11"),
    "compressed data": (b"\xa3\x01", "packet of type 8"),
    "data without protection": (new(9, b"x" * 40, 1), "packet of type 9"),
    "data in AEAD packets": (new(20, b"x" * 40, 1), "packet of type 20"),
    "a symmetric session key": (new(3, b"\x04\x09", 1) + DATA, "packet of type 3"),
    "a session key of unknown length": (b"\x87" + session_key(THROW_AWAY) + DATA, "without a usable length"),
    "a session key in pieces": (b"\xc1\xe5" + session_key(THROW_AWAY) + DATA, "without a usable length"),
    "a session key that is too large": (old(1, session_key(THROW_AWAY, bytes(LARGEST)), 2), "without a usable length"),
    "a session key of version 6": (new(1, b"\x06" + bytes(40), 1) + DATA, "of an unknown version"),
    "a session key that is too short": (new(1, b"\x03" + bytes(5), 1) + DATA, "of an unknown version"),
    "an empty session key": (new(1, b"", 1) + DATA, "of an unknown version"),
    "our key missing": (new(1, session_key(PARTNER), 1) + DATA, "0 session-key packets were for the key"),
    "no key at all": (DATA, "0 session-key packets were for the key"),
    "our key twice": (2 * new(1, session_key(THROW_AWAY), 1) + DATA, "2 session-key packets were for the key"),
    "an anonymous recipient": (new(1, session_key(bytes(8)), 1) + DATA, "0 session-key packets were for the key"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("size", [1, 10_000], ids=["byte by byte", "at once"])
def test_a_stream_that_does_not_begin_as_it_must_is_refused(case: str, size: int) -> None:
    whole, reason = REFUSED[case]
    with pytest.raises(SealFailed, match=reason):
        list(without_recipient([whole[start : start + size] for start in range(0, len(whole), size)], OURS))


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_whatever_bytes_come_they_pass_or_are_refused(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    try:
        assert len(b"".join(without_recipient(chunks, OURS))) < len(whole)
    except SealFailed as error:
        refused = error.message
    else:
        refused = "passed."
    assert refused.endswith(".")
