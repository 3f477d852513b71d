"""The smoke test, the local cloud in place of a real project: it runs whole, agrees with itself, and clears up."""

from __future__ import annotations

import pytest
from google.api_core import exceptions as api

from localcloud.cloud import LocalCloud
from tests.smoke.__main__ import answers
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
