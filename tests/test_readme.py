"""The README tells the truth: settings, errors, messages, contract and commands in it are those of the code."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from pipeline import errors, log, messages
from pipeline.contracts import reader
from pipeline.settings import HERE, Settings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
MAKEFILE = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 23, 16, tzinfo=UTC)


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def default(name: str) -> str:
    """A setting's default as the README writes it."""
    value = Settings.model_fields[name].default
    if value is PydanticUndefined:
        return "**required**"
    if name == "contracts_directory":
        return f"`{Path(value).relative_to(HERE.parent)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else ""


def test_every_setting_stands_in_the_readme_with_its_default_and_meaning() -> None:
    expected = [
        [f"`{name.upper()}`", default(name), field.description] for name, field in Settings.model_fields.items()
    ]
    assert rows("Settings") == expected


def test_every_error_code_stands_in_the_readme_with_what_becomes_of_it() -> None:
    expected = [
        [f"`{kind.code}`", "yes" if kind.retryable else "no", (kind.__doc__ or "").splitlines()[0]]
        for kind in errors.kinds()[1:]
    ]
    assert rows("Errors") == expected


def test_every_event_stands_in_the_readme_with_its_severity_and_alert() -> None:
    expected = [
        [f"`{name}`", event.severity, "yes" if event.alert else "", event.meaning] for name, event in log.EVENTS.items()
    ]
    assert rows("Events") == expected


@pytest.mark.parametrize("text", [row[0].strip("`") for row in rows("Messages")])
def test_every_message_in_the_readme_is_accepted(text: str) -> None:
    known = ["identity", "payments", "transactions"]
    messages.read(text.encode(), message_id="1", published=NOW, now=NOW, known=known, max_age=timedelta(hours=1))


def test_the_contract_in_the_readme_is_one() -> None:
    text = README.split("```yaml\n")[1].split("```")[0]
    assert reader.read(text, where="README.md").name == "refunds"


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"make ([a-z]+)`", README)) | set(re.findall(r"^\$ make ([a-z]+)$", README, re.M))
    assert targets >= {"demo", "test", "up", "check", "chaos", "bench"}
    assert targets <= set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))


def test_the_longest_window_in_the_readme_is_the_code_s() -> None:
    assert f"{messages.MAX_HOURS:,} hours" in README
