"""The tables of docs/reference.md, made from the code that they describe."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic_core import PydanticUndefined

from localcloud.processes import repository
from pipeline import errors, log
from pipeline.settings import HERE, Settings
from pipeline.states import STATES

REFERENCE: Final = repository() / "docs" / "reference.md"


def tables() -> Mapping[str, str]:
    """Each generated table, by the heading that it stands under."""
    return {
        "Settings": _table(
            ("variable", "default", "what it says"),
            (
                (f"`{name.upper()}`", _default(name), str(field.description))
                for name, field in Settings.model_fields.items()
            ),
        ),
        "States": _table(
            ("state", "sign", "severity", "alert", "meaning", "what to do"),
            (
                (name, state.sign, state.severity, "yes" if state.alert else "", state.meaning, state.action)
                for name, state in STATES.items()
            ),
        ),
        "Errors": _table(
            ("code", "tried again", "when"),
            (
                (f"`{kind.code}`", "yes" if kind.retryable else "no", (kind.__doc__ or "").splitlines()[0])
                for kind in errors.kinds()[1:]
            ),
        ),
        "Events": _table(
            ("event", "severity", "alert", "meaning"),
            (
                (f"`{name}`", event.severity, "yes" if event.alert else "", event.meaning)
                for name, event in log.EVENTS.items()
            ),
        ),
    }


def with_tables(text: str) -> str:
    """The text with the first table under each of these headings made anew. Raises ValueError where one is absent."""
    for heading, table in tables().items():
        pattern = rf"(^## {heading}\n(?:(?!^## |^\|).*\n)*)(?:\|.*\n)+"
        match = re.search(pattern, text, re.M)
        if match is None:
            raise ValueError(f"docs/reference.md has no table under the heading {heading}")
        text = text[: match.end(1)] + table + text[match.end() :]
    return text


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def _default(name: str) -> str:
    value = Settings.model_fields[name].default
    if value is PydanticUndefined:
        return "**required**"
    if name == "contracts_directory":
        return f"`{Path(value).relative_to(HERE.parent)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else ""
