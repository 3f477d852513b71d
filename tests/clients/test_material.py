"""Key material is cleaned of what other systems put around text; anything else stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clients.material import cleaned

TEXT = "-----BEGIN-----\nabc\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_text_is_the_same_whatever_saved_it(encoding: str, end: str) -> None:
    assert cleaned(TEXT.replace("\n", end).encode(encoding)) == TEXT.encode()


@given(st.binary())
def test_cleaning_never_fails_and_a_second_time_changes_nothing(value: bytes) -> None:
    once = cleaned(value)
    assert cleaned(once) == once or once.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))


@given(st.binary(min_size=1).map(lambda value: b"\x99" + value))
def test_a_binary_key_stays_as_it_is(value: bytes) -> None:
    assert cleaned(value) == value
