"""What a contract promises of punctuality is read whole, or refused with a sentence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.contracts.promise import Promise
from pipeline.contracts.reader import read
from pipeline.errors import ContractInvalid
from tests.sample_contract import CONTRACT

WHOLE = (
    "  - {property: latency, value: 30, unit: minutes}\n"
    "  - {property: latencyShare, value: 99, unit: percent}\n"
    "  - {property: latencyPeriod, value: 30, unit: days}\n"
)


def promised(text: str) -> Promise | None:
    """The promise of a contract with these slaProperties."""
    return read(f"{CONTRACT}\nslaProperties:\n{text}", where="contract.yaml").promise


def test_a_whole_promise_is_read() -> None:
    promise = promised(WHOLE)
    assert promise == Promise(30, 99, 30)
    assert str(promise) == "99 % within 30 minutes over 30 days"
    assert promise.within == timedelta(minutes=30)


def test_a_contract_may_promise_nothing_or_what_is_not_ours_to_keep() -> None:
    assert read(CONTRACT, where="contract.yaml").promise is None
    assert promised("  - {property: retention, value: 5, unit: y}\n") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("value: 30, unit: minutes", "value: 0, unit: minutes", "latency must be a number over 0"),
        ("value: 30, unit: minutes", "value: soon, unit: minutes", "latency must be a number over 0"),
        ("value: 30, unit: minutes", "value: 30, unit: hours", "latency must have the unit m or min or minutes"),
        ("value: 99, unit", "value: 101, unit", "latencyShare must be a number over 0, at most 100"),
        ("  - {property: latencyShare, value: 99, unit: percent}\n", "", "needs latencyShare too"),
        ("property: latencyPeriod, value: 30, unit: days", "property: latency, value: 3, unit: m", "stands twice"),
    ],
)
def test_half_a_promise_or_a_wrong_one_is_refused_with_its_place(old: str, new: str, said: str) -> None:
    assert old in WHOLE
    with pytest.raises(ContractInvalid, match=said):
        promised(WHOLE.replace(old, new))
