"""May a contract's filter stand in every query: one condition, that ends where it ends and asks nothing but its row.

The warehouse's own engine judges types and names (`verify-setup`, tests); this is what no engine would refuse.
"""

from __future__ import annotations

import re
from typing import Final

QUOTED: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\''
    r'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|`(?:\\.|[^`\\\n])*`',
    re.DOTALL,
)
"""Literals and quoted names: https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical."""

UNFIT: Final = (
    (re.compile(r"--|#|/\*"), "holds a comment, which would swallow what a query adds after it; remove the comment"),
    (re.compile(r";"), "holds a semicolon, which would end the query; write one condition without it"),
    (re.compile(r"[\"'`]"), "holds a quotation mark that is not closed; close it"),
    (re.compile(r"@"), "holds a query parameter; write the value itself"),
    (
        re.compile(r"\bSELECT\b", re.IGNORECASE),
        "reads a table of its own, which is not read at the delivery's snapshot; let the job that fills the table "
        "write a BOOL column and name that",
    ),
    (
        re.compile(r"\b(CURRENT_\w+|RAND|GENERATE_UUID|SESSION_USER)\b", re.IGNORECASE),
        "gives another answer at another time, so that a count and an extract would differ; let the job that fills "
        "the table write a BOOL column and name that",
    ),
)


def problem(text: str) -> str | None:
    """What makes the text unfit to stand in parentheses in a query, and what to write instead; None where it is fit."""
    bare = QUOTED.sub(" ", text)
    for pattern, said in UNFIT:
        if pattern.search(bare):
            return said
    depth = 0
    for sign in re.findall(r"[()]", bare):
        depth += 1 if sign == "(" else -1
        if depth < 0:
            break
    if depth:
        return "has parentheses that do not match, so that it would end elsewhere than it seems; balance them"
    return None
