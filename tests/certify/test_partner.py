"""What the partner says of our files: what it does not answer is never taken for an answer."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from tests.certify.conftest import PARTNERS, Certifying

UNANSWERED = ("unreachable", "refused", "failing")


@pytest.mark.parametrize("partner", UNANSWERED)
@pytest.mark.parametrize("before", ["whole", "cut short"])
def test_a_partner_that_cannot_be_asked_leaves_its_last_answer_as_it_was(
    certifying: Certifying, partner: str, before: str
) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    (file,) = deployment.received()
    if before == "cut short":
        file.write_bytes(file.read_bytes()[:-1])
    first = certifying.verdict(slot)
    PARTNERS[partner](certifying)
    ran = certifying.certify(slot)
    found = certifying.latest(slot)
    assert found["verdict"] == first == ("certified" if before == "whole" else "partner mismatch")
    assert found["partner"] == "not asked"
    assert len(ran.named("partner.unavailable")) == 1
    (event,) = ran.named("window.certified", "window.partner_mismatch")
    assert "could not be asked" in event["message"]


def test_a_closed_listing_is_an_answer_of_its_own(certifying: Certifying) -> None:
    slot = certifying.deployment.load()
    certifying.deployment.deliver(slot)
    PARTNERS["closed"](certifying)
    ran = certifying.certify(slot)
    found = certifying.latest(slot)
    assert (found["verdict"], found["partner"]) == ("certified", "listing closed")
    assert not ran.named("partner.unavailable")


def test_a_name_that_is_no_text_hides_no_other(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    (file,) = deployment.received()
    (deployment.files / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"x")
    file.write_bytes(file.read_bytes()[:-1])
    assert certifying.verdict(slot) == "partner mismatch"


def test_a_size_that_the_listing_lies_about_is_a_mismatch_and_the_same_bytes_are_sent_again(
    certifying: Certifying,
) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    certifying.break_partner(certifying.fault("list", "lie"))
    assert certifying.verdict(slot) == "partner mismatch"
    deployment.drain()
    assert certifying.verdict(slot) == "certified"


def test_a_file_that_vanished_raises_an_alarm_that_says_when_it_was_there_and_is_sent_again_once(
    certifying: Certifying,
) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    assert certifying.verdict(slot) == "certified"
    (file,) = deployment.received()
    file.unlink()
    ran = certifying.certify(slot)
    (event,) = ran.named("window.vanished")
    assert f"{file.name} was there at 20" in event["message"]
    assert "size confirmed; it is no longer there" in event["message"]
    deployment.drain()
    assert certifying.verdict(slot) == "certified"
    file.unlink()
    again = certifying.certify(slot)
    assert certifying.latest(slot)["verdict"] == "vanished"
    assert not again.named("window.resent")
    assert deployment.drain() == []


def test_a_file_that_vanishes_while_the_listing_is_closed_is_found_by_its_name(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    (file,) = deployment.received()
    file.unlink()
    PARTNERS["asked by name"](certifying)
    assert certifying.verdict(slot) == "vanished"


def test_a_file_that_a_partner_takes_away_is_no_loss(certifying: Certifying) -> None:
    deployment = certifying.deployment
    deployment.set(SFTP_COLLECTS="true")
    slot = deployment.load()
    deployment.deliver(slot)
    (file,) = deployment.received()
    file.unlink()
    assert certifying.verdict(slot) == "certified"
    assert deployment.drain() == []


def test_a_file_that_was_never_seen_and_is_absent_raises_an_alarm_and_is_sent_again(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    certifying.break_partner(certifying.fault("stat", "deny"))
    deployment.deliver(slot)
    for file in deployment.received():
        file.unlink()
    ran = certifying.certify(slot)
    (event,) = ran.named("window.vanished")
    assert f"was sent at {datetime.now(UTC):%Y-%m-%d}" in event["message"]
    assert "it is not there" in event["message"]
    assert len(ran.named("window.resent")) == 1
    deployment.drain()
    assert certifying.verdict(slot) == "certified"


def test_a_file_that_was_never_seen_at_a_partner_that_takes_files_away_is_unconfirmed(certifying: Certifying) -> None:
    deployment = certifying.deployment
    deployment.set(SFTP_COLLECTS="true")
    slot = deployment.load()
    certifying.break_partner(certifying.fault("stat", "deny"))
    deployment.deliver(slot)
    for file in deployment.received():
        file.unlink()
    assert certifying.verdict(slot) == "unconfirmed"
