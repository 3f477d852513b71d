"""Who waits for what in a small hour: every request by service, as a chart and a table, and how many in sequence."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Final

from localcloud import sampledata
from localcloud.pubsub.message import Message
from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment, sweep
from tests.faults.push import asking_for, push

ROWS: Final = 1_000
WARM: Final = 2
"""Deliveries before the one that is looked at."""

GOALS: Final = {"delivery": 6, "duplicate": 1}
COLOURS: Final = {
    "bigquery": "#1f77b4",
    "storage": "#2e7d32",
    "secrets": "#8e44ad",
    "partner": "#d35400",
    "gpg": "#7f8c8d",
}


@dataclass(frozen=True, slots=True)
class Span:
    """One request or process: seconds since the message came."""

    service: str
    what: str
    began: float
    ended: float


def run(options: Options) -> Iterator[Figure]:
    """Seconds, requests in all and in sequence, and gpg's processes of a warm delivery and of a duplicate message."""
    source = Path(__file__).with_name("traced.py")
    spans = options.directory / "spans.jsonl"
    with bench_deployment(options, "trace", narrow=False) as deployment:
        windows, dataset = [data.hour(number) for number in range(WARM + 1)], deployment.datasets["payments"]
        for window in windows:
            deployment.tables.load(dataset.table, sampledata.rows(dataset, window, ROWS, outside=0.0))
        deployment.tables.complete(["payments"], windows[0].end)
        made = deployment.function(name="traced")
        function = replace(made, settings={**made.settings, "SPANS": str(spans)}, python=options.python, source=source)
        function.start()
        try:
            for window in windows:
                delivery = _traced(function.url, asking_for(window, "payments"), spans)
            duplicate = _traced(function.url, asking_for(windows[-1], "payments"), spans)
        finally:
            function.stop()
        sweep(deployment)
    _write(options.output, {"delivery": delivery, "duplicate": duplicate})
    for name, found in (("delivery", delivery), ("duplicate", duplicate)):
        yield from _figures(name, found)


def _traced(url: str, message: Message, path: Path) -> list[Span]:
    """Carry out one message; the spans, in order of their beginning."""
    path.unlink(missing_ok=True)
    began = time.time()
    answer = push(url, message)
    if not answer.acknowledges:
        raise RuntimeError(f"The traced message was answered {answer.status}.")
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    spans = [Span(one["service"], one["what"], one["began"] - began, one["ended"] - began) for one in entries]
    return sorted(spans, key=lambda one: one.began)


def in_sequence(spans: Sequence[Span]) -> list[Span]:
    """The longest chain of spans of which each begins after the one before has ended."""
    chain: list[Span] = []
    for span in sorted(spans, key=lambda one: one.ended):
        if not chain or span.began >= chain[-1].ended:
            chain.append(span)
    return chain


def _figures(name: str, spans: list[Span]) -> Iterator[Figure]:
    storage = [span for span in spans if span.service == "storage"]
    yield Figure("trace", f"{name}: last request ends", "s", (max(span.ended for span in spans),))
    for service in COLOURS:
        of = [span for span in spans if span.service == service]
        if of:
            yield Figure("trace", f"{name}: {service}, in all", "", (float(len(of)),))
    chain = float(len(in_sequence(storage)))
    yield Figure("trace", f"{name}: storage requests in sequence", "", (chain,), goal=GOALS[name])


def _write(directory: Path, found: dict[str, list[Span]]) -> None:
    """trace.svg and trace.md beside the results."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "trace.svg").write_text(svg(found["delivery"]))
    lines = []
    for name, spans in found.items():
        lines += [f"## {name}", "", "| began, s | ended, s | service | what |", "| --- | --- | --- | --- |"]
        lines += [f"| {one.began:.3f} | {one.ended:.3f} | {one.service} | {one.what} |" for one in spans]
        lines.append("")
    (directory / "trace.md").write_text("\n".join(lines))


def svg(spans: Sequence[Span]) -> str:
    """A bar for every span, below one another in order of their beginning; the scale is in tenths of a second."""
    left, width, row = 330, 900, 15
    end = max(span.ended for span in spans)
    height = 40 + row * len(spans)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 40}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="{height}" fill="white"/>',
    ]
    for tenth in range(int(end * 10) + 1):
        x = left + width * tenth / 10 / end
        parts.append(f'<line x1="{x:.0f}" y1="20" x2="{x:.0f}" y2="{height}" stroke="#ddd"/>')
        if tenth % 5 == 0:
            parts.append(f'<text x="{x:.0f}" y="15" text-anchor="middle">{tenth / 10:.1f} s</text>')
    for number, span in enumerate(spans):
        y, x = 25 + row * number, left + width * span.began / end
        parts.append(
            f'<text x="{left - 6}" y="{y + 10}" text-anchor="end">{escape(f"{span.service}: {span.what}")}</text>'
            f'<rect x="{x:.1f}" y="{y}" width="{max(1.0, width * (span.ended - span.began) / end):.1f}" '
            f'height="{row - 4}" fill="{COLOURS[span.service]}"/>'
        )
    return "\n".join([*parts, "</svg>", ""])
