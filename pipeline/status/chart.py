"""A small line chart's geometry: pure numbers and texts, drawn by the page's template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

WIDTH: Final = 480
HEIGHT: Final = 130
LEFT: Final = 52
TOP: Final = 6
BASE: Final = 104
"""Pixels of the drawing; the page scales it."""


@dataclass(frozen=True, slots=True)
class Point:
    """One hour's figure; None where there is none, because nothing was sent."""

    hour: datetime
    value: float | None


@dataclass(frozen=True, slots=True)
class Dot:
    """Where a figure stands, and what it says when it is pointed at."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Band:
    """A run of hours without a figure."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template draws. `lines` are polylines, broken where a figure is absent."""

    title: str
    text: str
    lines: tuple[str, ...]
    dots: tuple[Dot, ...]
    unsent: tuple[Band, ...]
    promise: float | None
    most: str
    first: str
    last: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    top: int = TOP
    base: int = BASE


def chart(title: str, points: Sequence[Point], form: str, *, promise: float | None = None) -> Chart:
    """A line from zero; hours without a figure are hatched, and `promise` is a line across all of it."""
    values = [point.value for point in points if point.value is not None]
    most = max([*values, promise or 0]) or 1
    step = (WIDTH - LEFT) / max(len(points), 1)

    def across(number: int) -> float:
        return round(LEFT + (number + 0.5) * step, 1)

    def up(value: float) -> float:
        return round(BASE - value / most * (BASE - TOP), 1)

    lines: list[list[str]] = [[]]
    dots: list[Dot] = []
    unsent: list[Band] = []
    for number, point in enumerate(points):
        if point.value is None:
            unsent.append(Band(round(LEFT + number * step, 1), round(step, 1)))
            lines.append([])
            continue
        lines[-1].append(f"{across(number)},{up(point.value)}")
        dots.append(Dot(across(number), up(point.value), f"{point.hour:%Y-%m-%d %H:%M}: {form.format(point.value)}"))
    return Chart(
        title=title,
        text=_summary(title, values, len(unsent), form),
        lines=tuple(" ".join(line) for line in lines if len(line) > 1),
        dots=tuple(dots),
        unsent=tuple(unsent),
        promise=None if promise is None else up(promise),
        most=form.format(most),
        first=f"{points[0].hour:%d %b %H:%M}" if points else "",
        last=f"{points[-1].hour:%d %b %H:%M}" if points else "",
    )


def _summary(title: str, values: Sequence[float], unsent: int, form: str) -> str:
    """What the chart shows, for who cannot see it."""
    if not values:
        return f"{title}: no figure in {unsent} hours"
    low, high, last = (form.format(value) for value in (min(values), max(values), values[-1]))
    return f"{title}: {len(values)} hours from {low} to {high}, last {last}; {unsent} hours without a delivery"
