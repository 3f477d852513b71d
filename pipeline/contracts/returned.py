"""What a returned file says, by a description of it: a small YAML file in the contracts' directory, under `returns/`.

Nothing is known of a partner's files but what a description says. Without one, a file's name alone says whether it is
an error. What a description has stands in docs/writing-contracts.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

DIRECTORY: Final = "returns"
OTHER: Final = "other"
"""What stands for a reason that the description does not list: its text may hold data of a row."""

_Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class Reason:
    """How many rows of a file the partner rejected for one reason, and some of them by the digest of their key.

    `reason` is a word that the description lists, or `other`.
    """

    reason: str
    rows: int
    keys: tuple[str, ...]


class Description(BaseModel):
    """How the returned files whose names match are read; `name` and `sha256` say which description it is.

    `means`: the file is an error, or an acknowledgement, or neither; `rows`: an error if a row stands in it, else an
    acknowledgement. Rows are counted where a format is named: by the words of the column `reason`, of which only
    those listed in `reasons` are kept, and by the digest of the columns of `key`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    pattern: str
    means: Literal["error", "acknowledgement", "rows", "neither"]
    format: Literal["csv", "jsonl"] | None = None
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    key: tuple[_Name, ...] = Field(default=(), max_length=10, strict=False)
    reason: _Name | None = None
    reasons: tuple[_Name, ...] = Field(default=(), max_length=100, strict=False)
    name: str = ""
    sha256: str = ""

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.means == "rows" and self.format is None:
            raise ValueError("means: rows needs a format: without it no row can be counted")
        if self.format is None and (self.key or self.reason):
            raise ValueError("key and reason are columns of rows, and need a format: csv or jsonl")
        if self.reasons and self.reason is None:
            raise ValueError("reasons are words of the column that reason names, and it is missing")
        return self

    def __str__(self) -> str:
        return f"{self.name} {self.sha256}"


@dataclass(frozen=True, slots=True)
class Descriptions:
    """The descriptions of a deployment, and what is wrong with those that cannot be used."""

    usable: tuple[Description, ...] = ()
    problems: tuple[str, ...] = ()

    def of(self, file_name: str) -> Description | None:
        """The description of a file of that name; None where none or, against all care, more than one matches."""
        matching = self._matching(file_name)
        return matching[0] if len(matching) == 1 else None

    def problem(self, file_name: str) -> str | None:
        """Why the file is not read by a description, where that is a mistake."""
        matching = self._matching(file_name)
        if len(matching) < 2:
            return None
        return f"The descriptions {' and '.join(one.name for one in matching)} both match it; none is used."

    def _matching(self, file_name: str) -> Sequence[Description]:
        return [one for one in self.usable if re.search(one.pattern, file_name)]


def load(contracts: Path) -> Descriptions:
    """The descriptions in the contracts' directory. One that is wrong is a problem and keeps no other from use."""
    usable: list[Description] = []
    problems: list[str] = []
    folder = contracts / DIRECTORY
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        where = f"{DIRECTORY}/{file.name}"
        try:
            usable.append(read(file.read_text(encoding="utf-8"), where=where))
        except (ValueError, OSError) as error:
            problems.append(str(error) if isinstance(error, DescriptionInvalid) else f"{where}: cannot be read as text")
    return Descriptions(tuple(usable), tuple(problems))


class DescriptionInvalid(ValueError):
    """A description says something that cannot be carried out; a line for each problem."""


def read(text: str, *, where: str) -> Description:
    """One description. Raises DescriptionInvalid with every problem, each with its place."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DescriptionInvalid(f"{where}{f' line {mark.line + 1}' if mark else ''}: this is not YAML") from None
    if not isinstance(content, dict):
        raise DescriptionInvalid(f"{where}: this is no description; write pattern: and means:")
    given = {str(key): value for key, value in content.items()}
    for own in {"name", "sha256"} & set(given):
        raise DescriptionInvalid(f"{where}: {own}: is not a field of a description")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    try:
        return Description(**given, name=where.removeprefix(f"{DIRECTORY}/"), sha256=sha256)
    except ValidationError as error:
        lines = [
            f"{where}: {'.'.join(map(str, item['loc'])) or 'description'}: "
            + ("is not a field of a description" if item["type"] == "extra_forbidden" else item["msg"])
            for item in error.errors(include_url=False)
        ]
        raise DescriptionInvalid("\n".join(lines)) from None
