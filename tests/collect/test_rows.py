"""Rows of returned files: counted as another reader counts them, and refused with a line where they cannot be."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.collect.rows import KEYS, Unreadable, reasons
from pipeline.contracts.returned import Description

CSV = Description(pattern=".", means="error", format="csv", key=("id",), reason="why", reasons=("A", "B"))
JSONL = CSV.model_copy(update={"format": "jsonl"})

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)
rows = st.lists(st.tuples(texts, st.sampled_from(["A", "B", " A", "x", ""])), max_size=20)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@given(rows)
def test_both_formats_count_what_was_written(given_rows: list[tuple[str, str]]) -> None:
    written = io.StringIO()
    csv.writer(written).writerows([("why", "more", "id"), *((why, "", key) for key, why in given_rows)])
    lines = "\n".join(json.dumps({"id": key, "why": why}) for key, why in given_rows)
    expected = Counter(why.strip() if why.strip() in ("A", "B") else "other" for _, why in given_rows)
    for description, content in ((CSV, written.getvalue()), (JSONL, lines)):
        found = reasons(content.encode(), description)
        assert {reason.reason: reason.rows for reason in found} == expected
        assert [reason.rows for reason in found] == sorted((reason.rows for reason in found), reverse=True)
        assert {key for reason in found for key in reason.keys} == {sha256(key) for key, _ in given_rows}


def test_a_key_is_found_again_by_its_digest_whatever_form_it_came_in() -> None:
    two = JSONL.model_copy(update={"key": ("id", "line")})
    (found,) = reasons(b'{"id": "P-1", "line": 7, "why": null}\n', two)
    assert found.keys == (sha256("P-1\x1f7"),)


def test_few_keys_are_kept_of_many_rows() -> None:
    (found,) = reasons(("id,why\n" + "".join(f"{number},A\n" for number in range(1000))).encode(), CSV)
    assert (found.rows, len(found.keys)) == (1000, KEYS)


def test_a_byte_order_mark_and_lines_that_end_in_crlf_are_no_part_of_the_values() -> None:
    (found,) = reasons(b"\xef\xbb\xbfid,why\r\n1,A\r\n", CSV)
    assert (found.reason, found.keys) == ("A", (sha256("1"),))


@pytest.mark.parametrize(
    ("description", "content", "said"),
    [
        (CSV, b"", "it is empty, without even a header"),
        (CSV, b"id\n1\n", "the header has the column why 0 times"),
        (CSV, b"id,why,why\n", "the header has the column why 2 times"),
        (CSV, b"id,why\n1,A\n2\n", "line 3 has 1 values, the header 2"),
        (CSV, b'id,why\n1,"A\n', "line 2 is no CSV"),
        (CSV, b"id,why\n" + b"x" * 200_000 + b",A\n", "line 2 is no CSV"),
        (CSV, b"id,why\n\xff,A\n", "line 2 is not UTF-8"),
        (JSONL, b"{}\n", "line 1 has no id"),
        (JSONL, b'{"id": "Anna"\n', "line 1 is no JSON"),
        (JSONL, b"[1]\n", "line 1 is no JSON object"),
        (JSONL, b"[" * 100_000, "line 1 is no JSON"),
    ],
)
def test_what_is_not_as_described_is_refused_with_its_line_and_nothing_of_its_content(
    description: Description, content: bytes, said: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        reasons(content, description)
    assert str(refused.value) == said
