"""The smoke test, the local cloud in place of a real project: it runs whole, agrees with itself, and clears up."""

from __future__ import annotations

import pytest
from google.api_core import exceptions as api
from rich.console import Console

from localcloud.cloud import LocalCloud
from tests.smoke.__main__ import Answer, answers, report
from tests.smoke.place import Place
from tests.smoke.steps import STEPS


@pytest.fixture(scope="module")
def places(cloud: LocalCloud) -> tuple[Place, Place]:
    return Place("smoke-project", "smoke_first", "EU", cloud), Place("smoke-project", "smoke_second", "EU", cloud)


def test_every_step_is_answered_and_both_clouds_answer_the_same(places: tuple[Place, Place]) -> None:
    found = list(answers(*places))
    assert [one.step for one in found] == list(STEPS)
    assert [(one.step, one.real) for one in found if one.real.startswith("FAILED")] == []
    assert [(one.step, one.real, one.local) for one in found if not one.same] == []
    assert [(one.step, one.real) for one in found if one.step.startswith("refused") and "no error" in one.real] == []


def test_what_differs_is_shown_in_two_columns() -> None:
    console = Console(record=True, width=160)
    same, other = Answer("one", "[412]", "[412]"), Answer("two", "Forbidden", "PreconditionFailed")
    assert report([same], "my-project", console) == 0
    assert report([same, other], "my-project", console) == 1
    shown = console.export_text()
    assert "my-project answered" in shown
    (line,) = [line for line in shown.splitlines() if "Forbidden" in line]
    assert "differs" in line
    assert "PreconditionFailed" in line
    assert "2 kinds of call, 1 answered otherwise" in shown
    assert "[412]" in shown


def test_nothing_is_left_behind(places: tuple[Place, Place]) -> None:
    for place in places:
        assert place.clear() == []
        with pytest.raises(api.NotFound):
            place.bigquery.get_dataset(place.dataset)
        with pytest.raises(api.NotFound):
            place.storage.get_bucket(place.bucket)
        with pytest.raises(api.NotFound):
            place.secrets.get_secret(name=place.secret)
        assert place.clear() == []
