"""Figures for people and for programs: a table on the terminal, JSON, and a plot."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import plot
from tests.bench.figures import Figure

console = Console(highlight=False)
HEADINGS = ("benchmark", "measured", "ours", "peer", "ratio, or samples (least - most)", "goal", "how to read it")
PACKAGES = ("polars", "pyarrow", "asyncssh", "python-gnupg", "google-cloud-storage", "pandas", "paramiko", "duckdb")


def _load() -> float:
    return round(os.getloadavg()[0], 2)


@dataclass(frozen=True, slots=True)
class State:
    """When the run began, and how busy the machine was with other work."""

    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    load: float = field(default_factory=_load)


def line(figure: Figure) -> None:
    """Say one figure as soon as it is known."""
    console.print(f"  {figure.benchmark}: {figure.name}: {_short(figure)}")


def write(figures: Sequence[Figure], state: State, directory: Path) -> None:
    """Print the table, and write it as results.md, beside results.json and results.svg."""
    table = Table(*HEADINGS)
    for figure in figures:
        *cells, goal, note = _cells(figure)
        colour = {True: "[green]", False: "[red]", None: ""}[figure.met]
        table.add_row(*cells, f"{colour}{goal}", note)
    console.print(table)
    directory.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(state), "figures": [figure.as_json() for figure in figures]}
    (directory / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    (directory / "results.svg").write_text(plot.svg(figures))
    (directory / "results.md").write_text(markdown(figures))
    console.print(
        f"load at the beginning {state.load}, at the end {_load()}; written: {directory}/results.json, .md, .svg"
    )


def markdown(figures: Sequence[Figure]) -> str:
    """The table in Markdown, reasons included."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *(_cells(figure) for figure in figures)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(figure: Figure) -> tuple[str, ...]:
    ours = f"{_number(statistics.median(figure.ours))} {figure.unit}"
    peer = f"{_number(statistics.median(figure.peer))} {figure.unit} {figure.peer_name}" if figure.peer else ""
    return figure.benchmark, figure.name, ours, peer, _ratio(figure), _goal(figure), figure.note


def _short(figure: Figure) -> str:
    ours = f"{_number(statistics.median(figure.ours))} {figure.unit}"
    return f"{ours}, {_ratio(figure)} of {figure.peer_name}" if figure.peer else ours


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(figure: Figure) -> str:
    if not figure.peer:
        return f"({_number(min(figure.ours))} - {_number(max(figure.ours))} {figure.unit})"
    ratios = figure.ratios
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})"


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    sign = ">=" if figure.peer or figure.better == "more" else "<="
    return f"{sign} {figure.goal:.3g}{'' if figure.met else ', missed'}"


def machine(state: State) -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    programs = {name: _version(name) for name in ("gpg", "ssh") if shutil.which(name)}
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "began": state.began.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": {"before": state.load, "after": _load()},
        "platform": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "programs": programs,
        "packages": packages,
    }


def _version(program: str) -> str:
    flag = "-V" if program == "ssh" else "--version"
    said = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    return (said.stdout or said.stderr).splitlines()[0]
