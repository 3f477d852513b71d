"""The numbers in the texts are those of the one file that measurements are kept in."""

from __future__ import annotations

import pytest

from tests.bench import measurements
from tests.bench.figures import Figure


def test_the_texts_quote_what_was_measured() -> None:
    for path, text in measurements.texts():
        assert path.read_text(encoding="utf-8") == text, f"{path}: python -m tests.bench NAME --record writes it"


def test_a_figure_is_found_by_its_name_and_nothing_is_made_up() -> None:
    assert measurements.median("compression: none, share") == pytest.approx(1.0, abs=0.01)
    with pytest.raises(KeyError):
        measurements.median("compression: zlib:9, share")


def test_every_kept_figure_has_a_command_and_a_machine() -> None:
    kept = measurements.read()
    assert kept
    for benchmark, place in kept.items():
        assert place["command"].startswith("python -m tests.bench")
        assert {"began", "cores", "load"} <= set(place["machine"])
        assert all(isinstance(figure, Figure) for figure in measurements.figures(kept, benchmark))
