"""The next command for a delivery that needs somebody, by its state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.states import STATES, StateName
from pipeline.window import Window, rfc3339

NEXT: Final = "next: "
"""How the last problem of a certificate begins: the command that comes next."""


def told(problems: Iterable[str]) -> tuple[str, ...]:
    """The problems of a certificate without the command: what is wrong, the same for hours that lack the same."""
    return tuple(problem for problem in problems if not problem.startswith(NEXT))


def next_command(state: StateName, dataset: str, window: Window) -> str:
    """What to type next, once the state's action has been thought of."""
    end = f" --end {rfc3339(window.end)}" if len(window) > 1 else ""
    words = STATES[state].command.format(dataset=dataset, window=f"--start {rfc3339(window.start)}{end}")
    return f"python -m pipeline {words}"


def look_command(dataset: str, window: Window) -> str:
    """What shows the first hour as a timeline."""
    return f"python -m pipeline status {dataset} {rfc3339(window.start)}"
