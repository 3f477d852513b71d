"""Whether every text that one pattern admits is admitted by another: regular languages, compared exactly.

The checks search a text for a pattern by the rules of Rust's regex crate. What of that can be said as a language of
whole texts is compared by finite automata; a pattern with anything else (word boundaries, Unicode classes, flags) is
not judged, and whoever asks has to take the cautious answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from greenery import Fsm

LONGEST: Final = 64
"""Repetitions beyond this make automata too large to compare within a second."""

_DIGITS: Final = "0-9\u0660-\u0669"
"""`\\d` means every digit of Unicode; a second script is enough to tell it from `[0-9]`."""

_COMMON: Final = "a0A -_.~\u00e9\n"
"""Characters tried first when an example is made."""

_UNJUDGED: Final = frozenset("wWsSDbBpPAzZQEGXuxk")
"""Escapes whose language is not modelled."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts as a contract limits them: by a pattern, and by their length in characters."""

    pattern: str | None = None
    shortest: int = 0
    longest: int | None = None


def beyond(these: Texts, those: Texts) -> tuple[bool, str | None]:
    """Whether `those` surely admit all of `these`; else an example of what they do not, where one can be worked out."""
    if these.pattern == those.pattern and _no_longer(these, those):
        return True, None
    given = _language(_widened(these))
    limit = Texts(those.pattern) if _no_longer(these, those) else those
    admitted = _language(limit)
    if given is None or admitted is None:
        return False, None
    surplus = given - admitted
    if surplus.empty():
        return True, None
    return False, _shortest(surplus)


def sample(texts: Texts) -> str | None:
    """A shortest text that the pattern admits; None where there is none, or it cannot be judged."""
    language = _language(_widened(texts))
    return None if language is None else _shortest(language)


def common(one: str, other: str) -> str | None:
    """A shortest text that is wholly of both patterns; None where there is none."""
    both = [_language(Texts(f"^({whole})$")) for whole in (one, other)]
    assert both[0] is not None, f"{one} cannot be compared"
    assert both[1] is not None, f"{other} cannot be compared"
    return _shortest(both[0] & both[1])


def _shortest(language: Fsm) -> str | None:
    """A shortest text of the language, by one look at each state."""
    reached = {language.initial: ""}
    queue = [language.initial]
    for state in queue:
        if state in language.finals:
            return reached[state]
        for characters, following in language.map[state].items():
            char = next((char for char in _COMMON if characters.accepts(char)), None) or next(
                characters.get_chars(), None
            )
            if char is not None and following not in reached:
                reached[following] = reached[state] + char
                queue.append(following)
    return None


def _no_longer(these: Texts, those: Texts) -> bool:
    longest = those.longest is None or (these.longest is not None and these.longest <= those.longest)
    return longest and these.shortest >= those.shortest


def _widened(texts: Texts) -> Texts:
    """Without limits that are too large to model: more texts than those meant, never fewer."""
    longest = texts.longest if texts.longest is None or texts.longest <= LONGEST else None
    return Texts(texts.pattern, texts.shortest if texts.shortest <= LONGEST else 0, longest)


def _language(texts: Texts) -> Fsm | None:
    """The automaton of exactly these texts; None where it cannot be said, or would be too large."""
    if max(texts.shortest, texts.longest or 0) > LONGEST:
        return None
    from greenery import parse  # here alone: only who compares contracts pays for the import
    from greenery.parse import NoMatch

    within = parse(f".{{{texts.shortest},{'' if texts.longest is None else texts.longest}}}").to_fsm()
    if texts.pattern is None:
        return within
    whole = _whole(texts.pattern)
    if whole is None:
        return None
    try:
        return parse(whole).to_fsm() & within
    except NoMatch:
        return None


def _whole(pattern: str) -> str | None:
    """The pattern for a whole text instead of a search; None where it says what is not modelled."""
    begins, ends = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith(r"\$")
    inner = pattern[1 if begins else 0 : -1 if ends else None]
    said: list[str] = []
    depth, in_class, at = 0, False, 0
    while at < len(inner):
        char = inner[at]
        if char == "\\":
            at += 1
            following = inner[at : at + 1]
            if not following or following in _UNJUDGED or following.isdigit():
                return None
            digits = _DIGITS if in_class else f"[{_DIGITS}]"
            said.append(digits if following == "d" else _escaped(following, in_class=in_class))
        elif in_class:
            if char == "[" or inner[at : at + 2] in ("&&", "--", "~~"):
                return None
            in_class = char != "]" or inner[at - 1] == "["
            said.append(char)
        elif _is_unjudged(inner[at:]) or (char == "|" and depth == 0 and (begins or ends)):
            return None
        else:
            depth += (char == "(") - (char == ")")
            in_class = char == "["
            said.append(r"[^\n]" if char == "." else char)
        at += 1
    return f"{'' if begins else '.*'}({''.join(said)}){'' if ends else '.*'}"


def _is_unjudged(rest: str) -> bool:
    """An anchor inside, a group with options, or a repetition that is too large."""
    if rest[0] == "(":
        return rest[1:2] == "?" and rest[2:3] != ":"
    return rest[0] in "^$" or (rest[0] == "{" and any(int(number) > LONGEST for number in _numbers(rest)))


def _escaped(char: str, *, in_class: bool) -> str:
    """A character as it is meant, in the syntax of the automata's library."""
    if char in "nrtfv":
        return f"\\{char}"
    special = "\\[]^-" if in_class else "\\[]|(){}*+?.^$"
    return f"\\{char}" if char in special else char


def _numbers(braces: str) -> list[str]:
    return [number for number in braces[1 : braces.find("}")].split(",") if number.isdigit()]
