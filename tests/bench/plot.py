"""The ratios as bars with their spread, the goals as marks: an SVG, by hand."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.bench.figures import Figure

LEFT: Final = 430
RIGHT: Final = 400
ROW: Final = 24
MOST: Final = 5.0
"""The longest bar; a ratio beyond it is cut and said in its number."""


def svg(figures: Sequence[Figure]) -> str:
    """A bar for every figure that has a peer: to the right of 1 ours is better, the thin line is least to most."""
    shown = [figure for figure in figures if figure.ratios]
    height = 50 + ROW * len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + RIGHT + 90}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="{height}" fill="white"/>',
        '<text x="10" y="20" font-weight="bold">How many times better than the peer (median, least to most; '
        "dotted: goal)</text>",
        f'<line x1="{_x(1)}" y1="30" x2="{_x(1)}" y2="{height - 10}" stroke="#555"/>',
    ]
    for number, figure in enumerate(shown):
        parts += _bar(figure, 40 + ROW * number)
    return "\n".join([*parts, "</svg>", ""])


def _bar(figure: Figure, y: int) -> list[str]:
    ratios = figure.ratios
    median = statistics.median(ratios)
    colour = "#c0392b" if figure.met is False else "#2e7d32" if figure.met else "#7f8c8d"
    middle = y + ROW / 2 - 3
    parts = [
        f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">'
        f"{escape(f'{figure.benchmark}: {figure.name}'[:72])}</text>",
        f'<rect x="{LEFT}" y="{y}" width="{_x(median) - LEFT}" height="{ROW - 8}" fill="{colour}"/>',
        f'<line x1="{_x(min(ratios))}" y1="{middle}" x2="{_x(max(ratios))}" y2="{middle}" stroke="black"/>',
        f'<text x="{_x(max(ratios)) + 6}" y="{middle + 4}">{median:.2f}</text>',
    ]
    if figure.goal is not None:
        x = _x(figure.goal)
        parts.append(f'<line x1="{x}" y1="{y - 3}" x2="{x}" y2="{y + ROW - 5}" stroke="black" stroke-dasharray="2"/>')
    return parts


def _x(ratio: float) -> int:
    return LEFT + round(RIGHT * min(ratio, MOST) / MOST)
