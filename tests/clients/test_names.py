"""Names that others chose become text that can stand anywhere, and stay apart."""

from __future__ import annotations

import os
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clients.names import LONGEST, shown

NAMES = st.binary(min_size=1, max_size=300).map(lambda raw: raw.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    "name", ["ack.csv", "Übersicht 2026.txt", "a b", "100%", "50% off", "%zz", "x.csv.pgp", "~", "…"]
)
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert shown(name) == name


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\xff\xfe.txt", "%FF%FE.txt"),
        (b"two\nlines", "two%0Alines"),
        (b"\r", "%0D"),
        (b"../etc", "..%2Fetc"),
        (b"%41", "%2541"),
        (b"bell\x07", "bell%07"),
        ("left\u202eright".encode(), "left%E2%80%AEright"),
        ("line\u2028".encode(), "line%E2%80%A8"),
    ],
)
def test_what_cannot_be_printed_is_shown_by_its_bytes(raw: bytes, expected: str) -> None:
    assert shown(os.fsdecode(raw)) == expected


@given(NAMES)
def test_a_shown_name_is_printable_text_of_a_bounded_length(name: str) -> None:
    text = shown(name)
    assert text.isprintable()
    assert 0 < len(text.encode()) <= LONGEST
    assert "/" not in text


@given(st.binary(min_size=1, max_size=60))
def test_a_short_name_can_be_distinguished_from_what_is_shown(raw: bytes) -> None:
    assert urllib.parse.unquote_to_bytes(shown(raw.decode("utf-8", "surrogateescape"))) == raw or b"%" in raw


@given(NAMES, NAMES)
def test_no_two_names_look_alike(one: str, other: str) -> None:
    assert (shown(one) == shown(other)) == (one == other)


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert shown("a" * 1000) != shown("a" * 1001)
    assert shown("ü" * 500).startswith("ü" * 100 + "~")
