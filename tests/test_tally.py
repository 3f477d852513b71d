"""Digests of a stream do not depend on how it was cut, and what passes is passed on unchanged."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from pipeline.tally import Tally

CHUNKS = st.lists(st.binary(max_size=40), max_size=30)


@given(CHUNKS)
def test_a_tally_tells_length_and_digest_of_everything_that_passed(chunks: list[bytes]) -> None:
    tally = Tally()
    assert list(tally.watching(chunks)) == chunks
    assert tally.bytes == sum(map(len, chunks))
    assert tally.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()


def test_a_tally_counts_only_what_was_taken() -> None:
    tally = Tally()
    stream = tally.watching([b"one", b"two"])
    next(stream)
    assert (tally.bytes, tally.sha256) == (3, hashlib.sha256(b"one").hexdigest())


@given(CHUNKS, st.integers(1, 64))
def test_the_marks_are_the_digests_up_to_each_piece_however_the_stream_was_cut(chunks: list[bytes], every: int) -> None:
    tally = Tally(every)
    assert list(tally.watching(chunks)) == chunks
    whole = b"".join(chunks)
    ends = range(every, len(whole) + every, every)
    assert tally.marks == tuple(hashlib.sha256(whole[:end]).hexdigest() for end in ends)
    assert (tally.bytes, tally.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())


@given(st.binary(min_size=1, max_size=300), st.integers(1, 64), st.data())
def test_a_flipped_bit_changes_the_mark_after_its_piece_and_all_that_follow(
    content: bytes, every: int, data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, len(content) - 1))
    damaged = bytearray(content)
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    before, after = Tally(every), Tally(every)
    before.add(content)
    after.add(bytes(damaged))
    same = [mark == other for mark, other in zip(before.marks, after.marks, strict=True)]
    assert same == [number < position // every for number in range(len(same))]
