"""The table of states: whatever reads it can rest on these promises."""

from __future__ import annotations

from typing import get_args

from localcloud.processes import repository
from pipeline.log import EVENTS
from pipeline.states import STATES, Progress, StateName, Verdict


def test_every_state_stands_in_the_table_once() -> None:
    names = [name for group in get_args(StateName) for name in (get_args(group) or (group,))]
    assert sorted(STATES) == sorted(names)


def test_every_state_has_a_sign_of_its_own_so_that_no_meaning_rests_on_colour_alone() -> None:
    assert len({state.sign for state in STATES.values()}) == len(STATES)


def test_red_is_what_needs_attention_and_nothing_else() -> None:
    assert {name for name, state in STATES.items() if state.needs_attention} == {
        name for name, state in STATES.items() if state.colour == "red"
    }


def test_every_verdict_has_an_event_of_its_own_and_progress_has_none() -> None:
    events = [STATES[name].event for name in get_args(Verdict)]
    assert all(events)
    assert len(set(events)) == len(events)
    assert [STATES[name].event for name in get_args(Progress)] == [None] * len(get_args(Progress))


def test_events_say_what_the_table_says() -> None:
    for state in STATES.values():
        if state.event is not None:
            event = EVENTS[state.event]
            assert (event.severity, event.meaning, event.alert) == (state.severity, state.meaning, state.alert)


def test_meaning_and_action_are_sentences() -> None:
    for state in STATES.values():
        assert state.meaning.endswith(".")
        assert state.action.endswith(".")


def test_every_state_that_needs_attention_has_a_section_of_the_runbook_but_what_only_the_partner_knows() -> None:
    runbook = (repository() / "RUNBOOK.md").read_text(encoding="utf-8")
    sections = {name: state.section for name, state in STATES.items() if state.needs_attention}
    assert [name for name, section in sections.items() if section is None] == ["unconfirmed"]
    assert [section for section in sections.values() if section and f"\n## {section}\n" not in runbook] == []
