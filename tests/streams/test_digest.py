"""Digests of a stream do not depend on how it was cut, and what passes is passed on unchanged."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from pipeline.streams.digest import PieceDigests, Tally

CHUNKS = st.lists(st.binary(max_size=40), max_size=30)


@given(CHUNKS)
def test_a_tally_tells_length_and_digest_of_everything_that_passed(chunks: list[bytes]) -> None:
    tally = Tally()
    assert list(tally.counting(chunks)) == chunks
    assert tally.bytes == sum(map(len, chunks))
    assert tally.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()


def test_a_tally_counts_only_what_was_taken() -> None:
    tally = Tally()
    stream = tally.counting([b"one", b"two"])
    next(stream)
    assert (tally.bytes, tally.sha256) == (3, hashlib.sha256(b"one").hexdigest())


@given(CHUNKS, st.integers(1, 64))
def test_piece_digests_are_those_of_the_pieces_however_the_stream_was_cut(chunks: list[bytes], size: int) -> None:
    digests = PieceDigests(size)
    assert list(digests.counting(chunks)) == chunks
    whole = b"".join(chunks)
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    assert digests.digests == tuple(hashlib.sha256(piece).hexdigest() for piece in pieces)


@given(st.binary(min_size=1, max_size=300), st.integers(1, 64), st.data())
def test_a_flipped_bit_changes_the_digest_of_its_piece_alone(content: bytes, size: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(content) - 1))
    damaged = bytearray(content)
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    before, after = PieceDigests(size), PieceDigests(size)
    list(before.counting([content]))
    list(after.counting([bytes(damaged)]))
    differing = [n for n, pair in enumerate(zip(before.digests, after.digests, strict=True)) if pair[0] != pair[1]]
    assert differing == [position // size]
