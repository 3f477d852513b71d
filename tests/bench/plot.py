"""The ratios as bars with their spread, the goals as marks: an SVG by hand, which reads on a light and a dark page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.bench.figures import Figure

LEFT: Final = 430
RIGHT: Final = 400
TOP: Final = 56
ROW: Final = 24
MOST: Final = 5.0
"""Where the axis ends; a bar beyond it is cut, gets an arrow, and its number says how long it is."""

STYLE: Final = """
svg{--ink:#1c2330;--quiet:#596275;--grid:#d9dee7;--paper:#fff;--good:#2e7d32;--bad:#c0392b;--none:#7f8c8d}
@media(prefers-color-scheme:dark){
svg{--ink:#e6e9ef;--quiet:#a3adbd;--grid:#323b4a;--paper:#12161d;--good:#66bb6a;--bad:#ff8a7a;--none:#8b97a5}}
text{fill:var(--ink);stroke:var(--paper);stroke-width:3px;paint-order:stroke}.number{fill:var(--quiet)}.paper{fill:var(--paper)}
.grid{stroke:var(--grid)}.even{stroke:var(--quiet);stroke-width:1.5}.spread{stroke:var(--ink)}
.goal{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:2}
.met{fill:var(--good)}.missed{fill:var(--bad)}.free{fill:var(--none)}
"""


def svg(figures: Sequence[Figure]) -> str:
    """A bar for every figure that has a peer: to the right of 1 ours is better, the thin line is least to most."""
    shown = [figure for figure in figures if figure.ratios]
    foot = TOP + ROW * len(shown)
    width, height = LEFT + RIGHT + 90, foot + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="100%" height="{height}"/>',
        '<text x="10" y="20" font-weight="bold">How many times better than the peer: median, thin line least to most, '
        "dotted the goal</text>",
        *(mark for number in range(int(MOST) + 1) for mark in _tick(number, foot)),
    ]
    for number, figure in enumerate(shown):
        parts += _bar(figure, TOP + ROW * number)
    return "\n".join([*parts, "</svg>", ""])


def _tick(number: int, foot: int) -> list[str]:
    """A line of the axis, and its number above."""
    kind, x = "even" if number == 1 else "grid", _x(number)
    return [
        f'<line class="{kind}" x1="{x}" y1="{TOP - 8}" x2="{x}" y2="{foot}"/>',
        f'<text class="number" x="{x}" y="{TOP - 14}" text-anchor="middle">{number}×</text>',
    ]


def _bar(figure: Figure, y: int) -> list[str]:
    ratios = figure.ratios
    median = statistics.median(ratios)
    kind = "missed" if figure.met is False else "met" if figure.met else "free"
    middle = y + ROW / 2 - 3
    beyond = " →" if median > MOST else ""
    parts = [
        f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">'
        f"{escape(f'{figure.benchmark}: {figure.name}'[:72])}</text>",
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{_x(median) - LEFT}" height="{ROW - 8}"/>',
        f'<line class="spread" x1="{_x(min(ratios))}" y1="{middle}" x2="{_x(max(ratios))}" y2="{middle}"/>',
        f'<text x="{_x(max(ratios)) + 6}" y="{middle + 4}">{median:.2f}{beyond}</text>',
    ]
    if figure.goal is not None:
        x = _x(figure.goal)
        parts.append(f'<line class="goal" x1="{x}" y1="{y - 3}" x2="{x}" y2="{y + ROW - 5}"/>')
    return parts


def _x(ratio: float) -> int:
    return LEFT + round(RIGHT * min(ratio, MOST) / MOST)
