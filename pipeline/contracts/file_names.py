"""Names of files: what a template may hold, and that no two contracts can ever give two files the same name; pure.

Names are compared without regard to case, as not every file system tells `A.csv` from `a.csv`.
"""

from __future__ import annotations

import re
from itertools import combinations
from string import Formatter
from typing import TYPE_CHECKING, Final

from pipeline.contracts import patterns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.contracts.dataset import Dataset

VALUES: Final = {
    "dataset": r"[A-Za-z_][A-Za-z0-9_]*",
    "start": r"[0-9]{8}T[0-9]{6}Z",
    "end": r"[0-9]{8}T[0-9]{6}Z",
    "revision": r"[0-9]+",
    "part": r"[0-9]+",
    "parts": r"[0-9]+",
    "version": r"[0-9]+\.[0-9]+\.[0-9]+",
}
"""What may stand in a file name between braces, and what it is replaced by."""

_DIGITS: Final = "revision|parts?|version"


def problem(template: str | None) -> str | None:
    """Why files cannot be named so; None where they can."""
    try:
        places = {name for _, name, _, _ in Formatter().parse(template or "") if name is not None}
    except ValueError:
        places = {"?"}
    if template is None or places - set(VALUES) or not {"start", "revision", "part"} <= places:
        listed = ", ".join(f"{{{name}}}" for name in VALUES)
        return (
            f"{template!r} must hold {{start}}, {{revision}} and {{part}}, and may hold {listed}: else two files share "
            "a name"
        )
    if re.search(rf"({_DIGITS})\}}[0-9]*\{{({_DIGITS})\}}", template):
        return f"{template!r} must have more than digits between two numbers: else two files share a name"
    if re.search(r"[^A-Za-z0-9._{}-]", template) or template.startswith("."):
        return f"{template!r} may hold letters, digits, dots, dashes and underscores"
    return None


def pattern(contract: Dataset, *, any_version: bool = False) -> str:
    """The regular expression of the names that files of the contract ever have, a named group for each place."""
    known = {"dataset": re.escape(contract.name)}
    if not any_version:
        known["version"] = re.escape(contract.version)
    said, seen = "", set()
    for literal, place, _, _ in Formatter().parse(contract.file_name):
        said += re.escape(literal)
        if place is not None:
            value = known.get(place, VALUES[place])
            said += value if place in seen else f"(?P<{place}>{value})"
            seen.add(place)
    return said


def clashes(contracts: Mapping[str, Dataset]) -> list[str]:
    """Pairs of contracts whose files could have one name, by the names under which they are given."""
    problems = []
    for (first, contract), (second, other) in combinations(contracts.items(), 2):
        example = _common(contract, other)
        if example is not None:
            problems.append(f"{second}: fileName: {first} may give a file the same name ({example}); tell them apart")
    return problems


def _common(first: Dataset, other: Dataset) -> str | None:
    """A name that files of both may have, as the automata find it; None where there is none."""
    starts = [contract.file_name.replace("{dataset}", contract.name).casefold() for contract in (first, other)]
    for left, right in zip(*starts, strict=False):
        if left != right and "{" not in left + right:
            return None  # they differ before anything that varies: no need to compare any further
        if "{" in left + right:
            break
    several = first.name != other.name  # two versions of one dataset may be told apart by their version alone
    whole = (re.sub(r"\?P<\w+>", "", pattern(contract, any_version=several)).casefold() for contract in (first, other))
    return patterns.common(*whole)
