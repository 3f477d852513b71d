"""The measurements that are kept: `python -m tests.bench --record` writes them, and the texts that quote them.

One file holds every number; README.md, tests/bench/README.md and terraform/README.md have theirs from it, each with the
command that measures it again. A test compares.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from localcloud.processes import repository
from tests.bench.figures import Figure
from tests.bench.report import markdown

FILE: Final = Path(__file__).with_name("measurements.json")
BEGIN: Final = "<!-- measured: python -m tests.bench --record -->\n"
END: Final = "<!-- end of measured -->"
_FIGURES: Final = TypeAdapter(list[Figure])


def read() -> dict[str, Any]:
    """What is kept, by benchmark: the machine, the command, and its figures."""
    kept: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return kept


def figures(kept: dict[str, Any], benchmark: str) -> list[Figure]:
    """The figures of one benchmark."""
    return _FIGURES.validate_python(kept.get(benchmark, {"figures": []})["figures"])


def median(name: str) -> float:
    """The median of ours in the figure called `BENCHMARK: NAME`. Raises KeyError where it is not kept."""
    benchmark, _, rest = name.partition(": ")
    for figure in figures(read(), benchmark):
        if figure.name == rest:
            return figure.median
    raise KeyError(name)


def record(found: Iterable[Figure], machine: dict[str, Any], command: str) -> None:
    """Keep figures in place of those of the same names, and write the texts anew."""
    kept = read()
    for figure in found:
        place = kept.setdefault(figure.benchmark, {"figures": []})
        commands = dict.fromkeys([*place.get("command", "").split("; "), command])
        place["machine"], place["command"] = machine, "; ".join(filter(None, commands))
        place["figures"] = [one for one in place["figures"] if one["name"] != figure.name] + [asdict(figure)]
    FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    for path, text in texts():
        path.write_text(text, encoding="utf-8")


def texts() -> Iterator[tuple[Path, str]]:
    """Every text that quotes a measurement, as it should be."""
    for name, block in (("README.md", _front()), ("tests/bench/README.md", _all())):
        path = repository() / name
        before, rest = path.read_text(encoding="utf-8").split(BEGIN)
        yield path, f"{before}{BEGIN}{block}{END}{rest.split(END)[1]}"


def _front() -> str:
    """What a reader of the front page wants to know: how long, and how long otherwise."""
    rows = ["| seconds from message to delivered | this | Airflow's operators |\n", "|---|---|---|\n"]
    rows += [
        f"| {figure.name.rpartition(', ')[0]} | {figure.median:.2g} | {figure.peer_median:.2g} |\n"
        for figure in figures(read(), "chain")
        if figure.name.count(", ") == 1 and figure.peer_name == "Airflow"
    ]
    return "".join(rows)


def _all() -> str:
    """Every kept figure, benchmark by benchmark, with machine and command."""
    parts = []
    for benchmark, place in read().items():
        machine = place["machine"]
        load = f"load {machine['load']['before']} before and {machine['load']['after']} after"
        parts.append(
            f"**{benchmark}**: `{place['command']}`, {machine['began'][:16]}Z, {machine['cores']} cores, {load}\n\n"
        )
        parts.append(markdown(figures(read(), benchmark)) + "\n")
    return "".join(parts)
