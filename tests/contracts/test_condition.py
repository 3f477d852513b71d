"""A filter is one condition that ends where it ends: what an engine would take and a delivery must not is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.condition import problem

UNFIT = {
    "in_program -- for now": "comment",
    "in_program # for now": "comment",
    "in_program /* for now */": "comment",
    "TRUE; DROP TABLE x": "semicolon",
    "TRUE) OR (TRUE": "parentheses that do not match",
    "(in_program": "parentheses that do not match",
    "region = 'EU": "quotation mark that is not closed",
    "region = @region": "query parameter",
    "customer_id IN (SELECT customer_id FROM d.program)": "reads a table of its own",
    "expires > CURRENT_DATE()": "another answer at another time",
    "RAND() < 0.5": "another answer at another time",
}
FIT = [
    "in_program",
    "NOT is_internal OR is_internal IS NULL",
    "(region IN ('EU', 'UK')) AND (amount > 0)",
    "note = '-- not a comment; (' AND `select` = \"it's #1\"",
    "path LIKE r'a/*b' OR text = '''it's)'''",
    "note = 'a \\\\' OR note = 'it\\'s'",
    "randomised AND selected",
]


@pytest.mark.parametrize("text", UNFIT)
def test_an_unfit_condition_is_reported_why_and_what_to_write(text: str) -> None:
    assert UNFIT[text] in (problem(text) or "")


@pytest.mark.parametrize("text", FIT)
def test_a_fit_condition_is_left_alone(text: str) -> None:
    assert problem(text) is None


@given(st.text(alphabet="ab'\"`\\\\()-#;@ ", max_size=20))
def test_what_is_fit_hides_nothing_behind_it(text: str) -> None:
    """A fit text in parentheses is still fit: nothing in it closes, comments or quotes what comes after."""
    if problem(text) is None:
        assert problem(f"({text}) AND (TRUE)") is None
        assert problem(f"({text}) -- more") is not None
