"""What a change of a contract does to those who read its files, to what is disclosed, and to the warehouse; pure.

Two kinds of reader are judged. A reader **by name** finds its columns by the header, ignores columns that it does not
know, and takes an optional column that a file lacks for null. A reader **by position** takes the n-th field for its
n-th column and refuses a file with more or fewer. Both are strict about values (values.py); a field that is read as
another value than was meant, or for another column, is not read. A contract may say by `partnerReads` which of the two
the partner is; else the worse of both counts.

*backward*: readers of the new contract read files of the old; *forward*: readers of the old contract read files of the
new; *full*: both; *none*: neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from pipeline.contracts.dataset import Dataset, Reads

Kind = Literal["full", "backward", "forward", "none"]
Level = Literal["patch", "minor", "major"]

LEVELS: Final[tuple[Level, ...]] = ("patch", "minor", "major")
ORDER: Final = ("public", "internal", "confidential", "restricted")
"""Classifications from open to secret; any other counts as higher than all."""

FIRST: Final[dict[Kind, str]] = {
    "full": "nobody has to: either side may move whenever it wants",
    "forward": "we do: the partner reads on as before and follows when no file of the old contract is left to read",
    "backward": "the partner does: once it reads by the new contract, it reads both, and we follow",
    "none": "neither can alone: both move at an agreed hour, or both files are sent for an agreed time",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """Whether readers of the new contract read old files, and readers of the old contract new ones."""

    backward: bool = True
    forward: bool = True

    @property
    def kind(self) -> Kind:
        """The word for it."""
        if self.backward:
            return "full" if self.forward else "backward"
        return "forward" if self.forward else "none"

    def __and__(self, other: Effect) -> Effect:
        """What is left of both."""
        return Effect(self.backward and other.backward, self.forward and other.forward)


FULL: Final = Effect()
NONE: Final = Effect(backward=False, forward=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One change, and what it does.

    `rule` is the rule of the table that judged it; `disclosed` says what the partner gets, or may get, that it did not
    get before, `withheld` what it does not get any more, `warehouse` what has to be done there. `proven` is False where
    the cautious answer stands since the contrary cannot be shown.
    """

    rule: str
    column: str | None
    old: str | None
    new: str | None
    says: str
    by_name: Effect = FULL
    by_position: Effect = FULL
    disclosed: str | None = None
    withheld: str | None = None
    warehouse: str | None = None
    proven: bool = True

    def effect(self, reads: Reads) -> Effect:
        """What it does to the partner, who reads that way; None: the worse of both."""
        return {"name": self.by_name, "position": self.by_position, None: self.by_name & self.by_position}[reads]

    def level(self, reads: Reads) -> Level:
        """Major where a reader of the old contract breaks or loses data, minor where it gets or may expect more."""
        if self.withheld or not self.effect(reads).forward:
            return "major"
        return "minor" if self.disclosed or not self.effect(reads).backward else "patch"


@dataclass(frozen=True)
class Comparison:
    """Two contracts of one dataset and every change between them."""

    old: Dataset
    new: Dataset
    changes: tuple[Change, ...]

    @property
    def by_name(self) -> Effect:
        """All changes together, for a reader by column name."""
        return _together(change.by_name for change in self.changes)

    @property
    def by_position(self) -> Effect:
        """All changes together, for a reader by position."""
        return _together(change.by_position for change in self.changes)

    @property
    def reads(self) -> Reads:
        """How the partner reads, where both contracts say the same."""
        return self.old.partner_reads if self.old.partner_reads == self.new.partner_reads else None

    @property
    def effect(self) -> Effect:
        """What they do to the partner, as far as it is known how it reads."""
        return _together(change.effect(self.reads) for change in self.changes)

    @property
    def first(self) -> str:
        """Who must move first, in words."""
        return FIRST[self.effect.kind]

    @property
    def disclosed(self) -> tuple[str, ...]:
        """What is, or may be, newly disclosed."""
        return tuple(change.disclosed for change in self.changes if change.disclosed)

    @property
    def withheld(self) -> tuple[str, ...]:
        """What the partner does not get any more."""
        return tuple(change.withheld for change in self.changes if change.withheld)

    @property
    def warehouse(self) -> tuple[str, ...]:
        """What has to be done in the warehouse before deployment."""
        return tuple(dict.fromkeys(change.warehouse for change in self.changes if change.warehouse))

    @cached_property
    def level(self) -> Level | None:
        """The least part of the version to raise; None where nothing changed."""
        return max((change.level(self.reads) for change in self.changes), key=LEVELS.index, default=None)

    @property
    def least(self) -> str:
        """The least version that the new contract may have. Raises ValueError where the old has no version."""
        return raised(self.old.version, self.level) if self.level else self.old.version

    @property
    def enough(self) -> bool:
        """Whether the new contract's version is raised enough; without a change it may not be other either."""
        if self.level is None:
            return self.new.version == self.old.version
        return numbers(self.new.version) >= numbers(self.least)


def numbers(version: str) -> tuple[int, int, int]:
    """`1.2.3` as numbers. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", version)
    if match is None:
        raise ValueError(f"{version!r} is not a version of three numbers such as 1.2.3")
    return int(match[1]), int(match[2]), int(match[3])


def raised(version: str, level: Level) -> str:
    """The next version of that level."""
    major, minor, patch = numbers(version)
    match level:
        case "major":
            return f"{major + 1}.0.0"
        case "minor":
            return f"{major}.{minor + 1}.0"
        case _:
            return f"{major}.{minor}.{patch + 1}"


def _together(effects: Iterable[Effect]) -> Effect:
    whole = FULL
    for effect in effects:
        whole &= effect
    return whole
