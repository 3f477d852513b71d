"""The one verdict on everything that is known of a slot."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.certify.verdict import Evidence, judge
from pipeline.records.schema import Change
from pipeline.states import STATES, Verdict

WELL = Evidence(ready=True, planned=True, rows_now=7, rows_planned=7)

WORSE_FIRST: list[tuple[dict[str, object], Verdict]] = [
    ({"records": ("r1/plan",)}, "archive mismatch"),
    ({"archive": ("a.csv",)}, "archive mismatch"),
    ({"planned": False, "ready": False}, "source not ready"),
    ({"planned": False}, "missing"),
    ({"refused": True}, "refused"),
    ({"undelivered": (1,), "stalled": True}, "stalled"),
    ({"undelivered": (1,)}, "missing"),
    ({"rejected": ("f.pgp",)}, "rejected by partner"),
    ({"change": Change(added=1)}, "late rows"),
    ({"change": Change(altered=1)}, "late rows"),
    ({"altered": ("f.pgp",)}, "partner mismatch"),
    ({"gone": ("f.pgp",)}, "vanished"),
    ({"open_attempts": ("a",)}, "unsettled"),
    ({"change": Change(deleted=1)}, "rows gone"),
    ({"unproven": ("f.pgp",)}, "unconfirmed"),
    ({"rows_planned": 0}, "empty"),
    ({"acknowledged": True}, "acknowledged"),
    ({}, "certified"),
]
"""Each finding alone; where several come together, the one that stands first here is the verdict."""

names = st.lists(st.text(min_size=1, max_size=3), max_size=2).map(tuple)
few = st.integers(0, 2)
evidence = st.builds(
    Evidence,
    ready=st.booleans(),
    planned=st.booleans(),
    rows_now=few,
    rows_planned=few,
    refused=st.booleans(),
    undelivered=st.lists(few, max_size=2).map(tuple),
    change=st.builds(Change, added=few, altered=few, deleted=few),
    records=names,
    archive=names,
    altered=names,
    gone=names,
    open_attempts=names,
    unproven=names,
    rejected=names,
    acknowledged=st.booleans(),
)


@pytest.mark.parametrize(("finding", "verdict"), WORSE_FIRST)
def test_each_finding_alone_has_its_verdict(finding: dict[str, object], verdict: Verdict) -> None:
    assert judge(replace(WELL, **finding)) == verdict  # type: ignore[arg-type]


@pytest.mark.parametrize("number", range(len(WORSE_FIRST)))
def test_of_several_findings_the_worse_one_is_the_verdict(number: int) -> None:
    worse, verdict = WORSE_FIRST[number]
    for milder, _ in WORSE_FIRST[number + 1 :]:
        if not worse.keys() & milder.keys():
            assert judge(replace(WELL, **milder, **worse)) == verdict  # type: ignore[arg-type]


def test_every_verdict_of_the_table_can_be_given_and_no_other() -> None:
    assert {verdict for _, verdict in WORSE_FIRST} == set(get_args(Verdict)) <= set(STATES)


@given(evidence)
def test_nothing_is_certified_that_anything_speaks_against(found: Evidence) -> None:
    against = (
        *(found.records, found.archive, found.undelivered),
        *(found.altered, found.gone, found.open_attempts, found.unproven, found.rejected),
    )
    change = found.change
    clean = not any(against) and not (change.added or change.altered or change.deleted)
    settled = judge(found) in ("certified", "acknowledged", "empty")
    nothing = found.ready and not (found.planned or found.rows_now or found.records or found.archive)
    assert settled == ((found.planned and clean and not found.refused) or nothing)


@given(evidence, st.text(min_size=1))
def test_damage_outweighs_everything(found: Evidence, damage: str) -> None:
    assert judge(replace(found, records=(damage,))) == judge(replace(found, archive=(damage,))) == "archive mismatch"


@given(evidence)
def test_whether_the_source_is_ready_matters_only_where_nothing_is_planned(found: Evidence) -> None:
    same = judge(replace(found, ready=True)) == judge(replace(found, ready=False))
    assert same == (found.planned or bool(found.records or found.archive))
