"""What is claimed of patterns holds for the engine that deliveries are checked with, on generated texts."""

from __future__ import annotations

from typing import Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contracts.patterns import Texts, beyond, common, sample

PATTERNS: Final = (
    "^[A-Z]{2}$",
    "^[A-Z]{2,3}$",
    "^[A-Z0-9]{2}$",
    "^(ab|cd)*$",
    "^a.c$",
    "[a-c]",
    "^x",
    "9$",
    r"^\d{2}$",
    "^[0-9]{2}$",
    r"^a\.b$",
    "^[^a-z]+$",
    "a|b",
)
ALPHABET: Final = "abcdxABZ019.\n\u0663\u00e9"


def admits(texts: Texts, text: str) -> bool:
    """Whether the checks let the text pass."""
    length = texts.shortest <= len(text) and (texts.longest is None or len(text) <= texts.longest)
    return length and (texts.pattern is None or bool(pl.Series([text]).str.contains(texts.pattern)[0]))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_pattern_that_is_said_to_admit_all_of_another_does(data: st.DataObject) -> None:
    lengths = st.tuples(st.integers(0, 3), st.none() | st.integers(3, 6))
    limits = [(data.draw(st.sampled_from(PATTERNS) | st.none()), *data.draw(lengths)) for _ in range(2)]
    these, those = (Texts(*limit) for limit in limits)
    surely, example = beyond(these, those)
    if example is not None:
        assert not admits(those, example)
        assert admits(these, example)
    if surely:
        text = st.text(ALPHABET, max_size=6)
        if these.pattern is not None:
            text |= st.from_regex(these.pattern, alphabet=st.sampled_from(ALPHABET))
        for found in data.draw(st.lists(text, max_size=8)):
            assert not admits(these, found) or admits(those, found)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_sample_is_admitted(pattern: str) -> None:
    text = sample(Texts(pattern))
    assert text is not None
    assert admits(Texts(pattern), text)


@pytest.mark.parametrize(
    "pattern", [r"\bword", "(?i)a", r"\p{L}", "^a|b$", "a$b", "^.{1,500}$", "[[:alpha:]]", "[a&&b]"]
)
def test_a_pattern_that_cannot_be_judged_admits_nothing_for_sure(pattern: str) -> None:
    assert beyond(Texts("^a$"), Texts(pattern)) == (False, None)
    assert beyond(Texts(pattern), Texts(pattern)) == (True, None)
    assert sample(Texts(pattern)) is None


def test_two_patterns_have_a_text_in_common_or_none() -> None:
    assert common("f[0-9]+", "f1[0-9]+") == "f10"
    assert common("f[0-9]+", "g[0-9]+") is None
