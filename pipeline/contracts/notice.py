"""What the partner is told of a change, and the history of a contract, as Markdown; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pipeline.contracts.compatibility import FIRST, Change, Comparison, Effect, Kind
from pipeline.contracts.dataset import Dataset
from pipeline.contracts.rules import compare

_MEANING: dict[Kind, str] = {
    "full": "readers of either contract read files of both",
    "forward": "readers of the old contract read new files; readers of the new one do not read old files",
    "backward": "readers of the new contract read old files; readers of the old one do not read new files",
    "none": "readers of one contract do not read files of the other",
}

PROMISES = """\
- Each file belongs to one contract. A delivery that was begun under the old one is finished under it, so for a short
  time files of both may arrive.
- Hours that were delivered before are not sent again, unless you ask for them.
"""


def notice(comparison: Comparison, *, level: int = 1) -> str:
    """The notice of one change, for the partner. `level` is that of its heading."""
    return "\n".join(_notice(comparison, "#" * level)) + "\n"


def history(releases: Sequence[Dataset]) -> str:
    """The page of one dataset: its versions, and the notice of each change. `releases` are in order, oldest first."""
    latest = releases[-1]
    lines = [
        f"# Contract {latest.name}: its history",
        "",
        "Written by `python -m pipeline contract release`; do not edit. The texts are in"
        f" [released/{latest.name}](released/{latest.name}).",
        "",
        "| version | by name | by position | who moves first | SHA-256 of its text |",
        "|---|---|---|---|---|",
    ]
    changes = [compare(old, new) for old, new in pairwise(releases)]
    for change in reversed(changes):
        kinds = f"{change.by_name.kind} | {change.by_position.kind}"
        lines.append(f"| {change.new.version} | {kinds} | {_whoever(change.effect)} | `{change.new.sha256}` |")
    lines += [f"| {releases[0].version} | first | first | - | `{releases[0].sha256}` |", ""]
    return "\n".join(lines) + "".join("\n" + notice(change, level=2) for change in reversed(changes))


def _whoever(effect: Effect) -> str:
    return {"full": "either", "forward": "we", "backward": "the partner", "none": "both together"}[effect.kind]


def _notice(comparison: Comparison, heading: str) -> Iterator[str]:
    old, new = comparison.old, comparison.new
    yield f"{heading} {new.name}: contract {old.version} becomes {new.version}"
    yield ""
    for how, effect in (("by column name", comparison.by_name), ("by position", comparison.by_position)):
        yield f"- Read **{how}**: {effect.kind} ({_MEANING[effect.kind]})."
    yield f"- Who moves first: {FIRST[comparison.effect.kind]}."
    if comparison.effect != comparison.by_name & comparison.by_position:
        yield f"  This holds for reading by {comparison.reads}, which is how you read, as you told us."
    yield from ("", f"{heading}# What changes", "")
    yield "| what | column | before | after | by name | by position | meaning |"
    yield "|---|---|---|---|---|---|---|"
    yield from map(_row, comparison.changes)
    for title, lines in (
        ("What you get that you did not get before", comparison.disclosed),
        ("What you do not get any more", comparison.withheld),
    ):
        yield from ("", f"{heading}# {title}", "")
        yield from [f"- {line}" for line in lines] or ["Nothing."]
    yield from ("", f"{heading}# Files of before", "", PROMISES.rstrip())


def _row(change: Change) -> str:
    kinds = (change.by_name.kind, change.by_position.kind)
    cells = (change.rule, change.column, change.old, change.new, *kinds, change.says)
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str | None) -> str:
    return "-" if text is None else " ".join(text.replace("|", "\\|").split())
