"""The ratios that benchmarks report: which way is better, and when a goal is met."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.bench.figures import Figure
from tests.bench.plot import svg
from tests.bench.report import markdown

TEXT = "{http://www.w3.org/2000/svg}text"


def test_less_time_than_the_peer_is_a_ratio_above_one() -> None:
    figure = Figure("chain", "seconds", "s", (2.0, 4.0), (6.0, 4.0), "peer")
    assert figure.ratios == (3.0, 1.0)


def test_more_bytes_than_the_peer_is_a_ratio_above_one() -> None:
    assert Figure("growth", "bytes", "GB", (6.0,), (2.0,), "peer", better="more").ratios == (3.0,)


def test_samples_that_have_no_partner_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        _ = Figure("chain", "seconds", "s", (2.0, 4.0), (6.0,), "peer").ratios


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("a", "ratio reached", "s", (1.0, 2.0, 9.0), (3.0, 6.0, 9.0), "peer", goal=3.0), True),
        (Figure("a", "ratio missed", "s", (1.0,), (2.9,), "peer", goal=3.0), False),
        (Figure("a", "seconds reached", "s", (0.2, 0.3, 9.0), goal=0.3), True),
        (Figure("a", "seconds missed", "s", (0.31,), goal=0.3), False),
        (Figure("a", "bytes reached", "GB", (25.0,), better="more", goal=25.0), True),
        (Figure("a", "bytes missed", "GB", (24.9,), better="more", goal=25.0), False),
        (Figure("a", "no goal", "s", (1.0,)), None),
    ],
    ids=lambda value: value.name if isinstance(value, Figure) else str(value),
)
def test_the_median_decides_whether_a_goal_is_met(figure: Figure, met: bool | None) -> None:
    assert figure.met is met


def test_the_table_has_a_row_of_as_many_cells_for_every_figure() -> None:
    figures = [
        Figure("chain", "one", "s", (1.0, 2.0), (3.0, 3.0), "peer", goal=3.0),
        Figure("small", "two", "s", (1.0,), goal=0.5, note="why"),
    ]
    heading, _, first, second = (line.split(" | ") for line in markdown(figures).splitlines())
    assert len(heading) == len(first) == len(second)
    assert first[2:6] == ["1.5 s", "3 s peer", "2.25 (1.50 - 3.00)", ">= 3, missed"]
    assert second[-2:] == ["<= 0.5, missed", "why |"]


def test_the_plot_is_well_formed_and_shows_every_ratio_and_nothing_else() -> None:
    figures = [
        Figure("chain", "a < b & c", "s", (1.0, 2.0), (3.0, 3.0), "peer", goal=3.0),
        Figure("small", "no peer", "s", (1.0,)),
        Figure("limits", "far beyond the scale", "s", (1.0,), (50.0,), "peer"),
    ]
    drawn = svg(figures)
    texts = [element.text for element in ElementTree.fromstring(drawn).iter(TEXT)]  # noqa: S314  # our own picture
    assert texts[1:7] == ["0×", "1×", "2×", "3×", "4×", "5×"]
    assert texts[7:] == ["chain: a < b & c", "2.25", "limits: far beyond the scale", "50.00 →"]
    assert "prefers-color-scheme:dark" in drawn
