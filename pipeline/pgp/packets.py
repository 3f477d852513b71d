"""Remove one recipient's session-key packet from an OpenPGP message; pure.

A message to several recipients begins with a public-key encrypted session key packet (tag 1) for each of them; the
encrypted data packet follows. Packet headers are those of RFC 9580, section 4.2, in both formats; any other packet
before the data, or another kind of length, is refused.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Final

from pipeline.errors import SealFailed

SESSION_KEY: Final = 1
ENCRYPTED_DATA: Final = 18
LARGEST: Final = 4096
"""Bytes of a session-key packet: a key of 16,384 bits needs half of that."""


def without_recipient(chunks: Iterable[bytes], key_ids: frozenset[str]) -> Generator[bytes, None, None]:
    """Yield the message without the session-key packet for one of `key_ids` (16 upper-case hexadecimal digits each).

    Exactly one packet must match. The data packet is passed on unread. Raises SealFailed where the stream does not
    begin as such a message does.
    """
    stream = iter(chunks)
    held = bytearray()
    left_out = 0
    while True:
        header = _header(held)
        if header is None:
            held += _more(stream)
            continue
        tag, start, length = header
        if tag == ENCRYPTED_DATA:
            break
        if tag != SESSION_KEY:
            raise SealFailed(f"The sealed stream holds an OpenPGP packet of type {tag} before its encrypted data.")
        if length is None or length > LARGEST:
            raise SealFailed("The sealed stream holds a session-key packet without a usable length.")
        while len(held) < start + length:
            held += _more(stream)
        packet = bytes(held[: start + length])
        if _key_id(packet[start:]) in key_ids:
            left_out += 1
        else:
            yield packet
        del held[: start + length]
    if left_out != 1:
        raise SealFailed(
            f"{left_out} session-key packets were for the key that opens the file again; one was expected."
        )
    yield bytes(held)
    yield from stream


def _more(stream: Iterator[bytes]) -> bytes:
    chunk = next(stream, None)
    if chunk is None:
        raise SealFailed("The sealed stream ended before its encrypted data.")
    return chunk


def _header(data: bytes | bytearray) -> tuple[int, int, int | None] | None:
    """Tag, size of the header, and length of the body (None: in pieces or to the end); None where more is needed."""
    if not data:
        return None
    first = data[0]
    if not first & 0x80:
        raise SealFailed("The sealed stream is not binary OpenPGP.")
    if first & 0x40:
        return _new_format(data, first & 0x3F)
    size = (1, 2, 4, 0)[first & 0x03]
    if len(data) < 1 + size:
        return None
    return (first >> 2) & 0x0F, 1 + size, int.from_bytes(data[1 : 1 + size], "big") if size else None


def _new_format(data: bytes | bytearray, tag: int) -> tuple[int, int, int | None] | None:
    if len(data) < 2:
        return None
    octet = data[1]
    if octet < 192:
        return tag, 2, octet
    if octet < 224:
        return None if len(data) < 3 else (tag, 3, ((octet - 192) << 8) + data[2] + 192)
    if octet < 255:
        return tag, 2, None
    return None if len(data) < 6 else (tag, 6, int.from_bytes(data[2:6], "big"))


def _key_id(body: bytes) -> str:
    if not body or body[0] != 3 or len(body) < 9:
        raise SealFailed("The sealed stream holds a session-key packet of an unknown version.")
    return body[1:9].hex().upper()
