"""Whether a filter surely admits every row that another admits: what follows from AND, OR, IN and equality; pure.

Sound and incomplete: "yes" holds for every table, "no" means that it does not follow from the form alone. A row passes
where the condition is TRUE, as in SQL; NULL is no.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

_TOKEN: Final = re.compile(
    r"\s*('(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|\w+(?:\.\w+)*|<=|>=|<>|!=|.)", re.DOTALL
)
_EQUALITY: Final = re.compile(r"(\S+) = ('[^']*'|\d+)")
_MEMBER: Final = re.compile(r"(\S+) IN \( (.+) \)")


@dataclass(frozen=True, slots=True)
class _All:
    """Every condition holds."""

    conditions: tuple[_Condition, ...]


@dataclass(frozen=True, slots=True)
class _Any:
    """At least one condition holds."""

    conditions: tuple[_Condition, ...]


_Condition = _All | _Any | str


def implies(first: str | None, second: str | None) -> bool:
    """Whether every row that passes the first filter surely passes the second; None lets every row pass."""
    if second is None or first == second:
        return True
    if any(mark in f"{first}{second}" for mark in ('"""', "'''")):
        return False  # texts of several lines are not taken apart
    return first is not None and _follows(_parsed(_tokens(first)), _parsed(_tokens(second)))


def _follows(given: _Condition, wanted: _Condition) -> bool:
    if isinstance(wanted, _All):
        return all(_follows(given, condition) for condition in wanted.conditions)
    if isinstance(given, _Any):
        return all(_follows(condition, wanted) for condition in given.conditions)
    if isinstance(given, _All) and any(_follows(condition, wanted) for condition in given.conditions):
        return True
    if isinstance(wanted, _Any):
        return any(_follows(given, condition) for condition in wanted.conditions)
    return isinstance(given, str) and (given == wanted or _values_follow(given, wanted))


def _values_follow(given: str, wanted: str) -> bool:
    """`x = 1` and `x IN (1)` imply `x IN (1, 2)`."""
    first, second = _values(given), _values(wanted)
    return first is not None and second is not None and first[0] == second[0] and first[1] <= second[1]


def _values(condition: str) -> tuple[str, frozenset[str]] | None:
    if (match := _EQUALITY.fullmatch(condition)) is not None:
        return match[1], frozenset([match[2]])
    if (match := _MEMBER.fullmatch(condition)) is not None:
        listed = match[2].split(" , ")
        if all(re.fullmatch(r"'[^']*'|\d+", value) for value in listed):
            return match[1], frozenset(listed)
    return None


def _tokens(condition: str) -> list[str]:
    """The words of a condition; keywords and names in one spelling, texts as they are."""
    tokens = [match[1] for match in _TOKEN.finditer(condition.strip())]
    return [token if token[0] in "'\"" else token.strip("`").upper() for token in tokens]


def _parsed(tokens: list[str]) -> _Condition:
    for word, kind in (("OR", _Any), ("AND", _All)):
        pieces = _split(tokens, word)
        if len(pieces) > 1:
            return kind(tuple(_parsed(piece) for piece in pieces))
    if _in_brackets(tokens):
        return _parsed(tokens[1:-1])
    return " ".join(tokens)


def _split(tokens: list[str], cut: str) -> list[list[str]]:
    """Cut at the word where it stands outside brackets, CASE and BETWEEN."""
    pieces: list[list[str]] = [[]]
    depth, between = 0, False
    for word in tokens:
        depth += (word in "([" or word == "CASE") - (word in ")]" or word == "END")
        between = between or word == "BETWEEN"
        if word == cut and depth == 0 and not (cut == "AND" and between):
            pieces.append([])
            continue
        between = between and word != "AND"
        pieces[-1].append(word)
    return pieces if all(pieces) else [tokens]


def _in_brackets(tokens: list[str]) -> bool:
    """Whether one pair of brackets holds everything."""
    if len(tokens) < 3 or tokens[0] != "(":
        return False
    depth = 0
    for at, word in enumerate(tokens):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return at == len(tokens) - 1
    return False


Direction = Literal["same", "wider", "narrower", "unknown"]


def direction(old: str | None, new: str | None) -> Direction:
    """What a new filter does to the rows that pass: the same ones, surely more, surely fewer, or it cannot be told."""
    more, fewer = implies(old, new), implies(new, old)
    if more and fewer:
        return "same"
    return "wider" if more else "narrower" if fewer else "unknown"
