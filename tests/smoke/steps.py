"""The list of calls, in order; each gives one line, the same in every cloud that behaves the same."""

from __future__ import annotations

from collections.abc import Callable

from google.api_core import exceptions as api
from google.cloud.storage.exceptions import InvalidResponse

from tests.smoke.place import Place

Step = Callable[[Place], str]
STEPS: dict[str, Step] = {}


def step(name: str) -> Callable[[Step], Step]:
    """Put the function at the end of the list."""

    def add(function: Step) -> Step:
        STEPS[name] = function
        return function

    return add


def failed(place: Place, call: Callable[[], object]) -> str:
    """What a call that must fail was answered."""
    try:
        call()
    except (api.GoogleAPICallError, InvalidResponse) as error:
        return place.said(error)
    return "no error"
