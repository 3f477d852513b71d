"""Errors: stable codes, a rule for retrying, full sentences, and the place where they happened."""

import re

import pytest

from pipeline.errors import OutOfTime, PartnerRefused, PipelineError, during, kinds

FINAL = {"upload-too-slow", "message-rejected", "rows-refused", "archive-damaged", "record-damaged"}


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [kind.__dict__.get("code") for kind in kinds()]
    assert None not in codes
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", str(code)) for code in codes)


def test_only_what_no_retry_can_mend_is_final() -> None:
    assert {kind.code for kind in kinds() if not kind.retryable} == FINAL


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.code)
def test_an_error_says_its_code_what_happened_and_what_comes_next(kind: type[PipelineError]) -> None:
    text = str(kind("Something happened."))
    assert text.startswith(f"[{kind.code}] Something happened. ")
    assert text.endswith(kind.next_step)
    assert kind.next_step.endswith(".")
    assert kind.__doc__


def test_the_final_ones_say_what_a_human_must_do() -> None:
    general = PipelineError.next_step
    assert all(kind.next_step != general for kind in kinds() if not kind.retryable)


def test_the_closest_place_that_knows_the_stage_names_it() -> None:
    with pytest.raises(OutOfTime) as caught, during("upload", "payments r1"), during("seal", "payments r1"):
        raise OutOfTime("The time is over.")
    assert str(caught.value).startswith("[out-of-time] seal payments r1: The time is over.")


def test_other_exceptions_pass_a_stage_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), during("seal", "payments r1"):
        raise ZeroDivisionError


def test_a_partner_that_refuses_is_a_partner_that_is_not_available() -> None:
    with pytest.raises(PipelineError) as caught, during("upload", "payments r1"):
        raise PartnerRefused("The server refuses.")
    assert caught.value.code == "partner-refused"
    assert caught.value.retryable
