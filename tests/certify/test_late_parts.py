"""Uploads that die late: half a file may appear up to half an hour later, over the whole one that was sent since."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.records.schema import Sending
from tests.certify.conftest import PARTNERS, Certifying
from tests.chain.test_punctual import promising


@pytest.mark.parametrize("partner", PARTNERS)
def test_an_upload_that_broke_off_before_another_succeeded_is_unsettled_however_the_partner_answers(
    certifying: Certifying, partner: str
) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    certifying.cut(slot)
    assert deployment.deliver(slot).error is None
    PARTNERS[partner](certifying)
    ran = certifying.certify(slot)
    found = certifying.latest(slot)
    assert found["verdict"] == "unsettled"
    assert "broke off" in found["problems"][0]
    assert len(ran.named("window.unsettled")) == len(ran.named("window.resent")) == 1


def test_half_a_file_that_appears_late_is_replaced_and_never_certified(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    certifying.cut(slot)
    deployment.deliver(slot)
    assert certifying.verdict(slot) == "unsettled"
    certifying.half_file_appears()
    assert certifying.verdict(slot) == "partner mismatch"
    deployment.drain()
    assert deployment.identical(slot, *deployment.received())
    assert certifying.verdict(slot) == "unsettled"  # what was sent began too soon after
    certifying.age("/sending-|/delivered-", 2.1)
    certifying.certify(slot)
    deployment.drain()
    assert certifying.verdict(slot) == "certified"
    assert deployment.identical(slot, *deployment.received())


def test_the_same_holds_for_a_resend_that_is_cut(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    assert certifying.verdict(slot) == "certified"
    certifying.cut(slot, resend=True)
    assert certifying.verdict(slot) == "unsettled"
    certifying.half_file_appears()
    deployment.cloud.break_partner(certifying.fault("list", "deny", times=9), certifying.fault("stat", "deny", times=9))
    assert certifying.verdict(slot) == "unsettled"
    deployment.cloud.end_faults()
    certifying.age("/sending-", 2.1)
    certifying.certify(slot)
    deployment.drain()
    assert certifying.verdict(slot) == "certified"
    assert deployment.identical(slot, *deployment.received())


def test_attempts_are_ordered_by_the_stores_clock_and_not_by_the_hosts(certifying: Certifying) -> None:
    """The host that died was 90 minutes behind, so that its announcement looks long settled."""
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    folder = deployment.within().records.folder(slot).revision(1)
    announced = Sending(part=1, attempt="behind")
    folder.announce(announced.model_copy(update={"created": announced.created - timedelta(minutes=150)}))
    assert certifying.verdict(slot) == "unsettled"
    sent = [one for ran in deployment.drain() for one in ran.named("upload.completed")]
    assert len(sent) == 1


def test_a_half_file_is_found_by_name_where_the_listing_is_closed(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    (file,) = deployment.received()
    file.write_bytes(file.read_bytes()[:CUT])
    certifying.break_partner(certifying.fault("list", "deny", times=9))
    assert certifying.verdict(slot) == "partner mismatch"
    assert certifying.latest(slot)["partner"] == "listing closed"


CUT = 700


@pytest.mark.parametrize("delivered_before", [False, True])
def test_the_same_holds_for_a_revision_that_another_has_followed(
    certifying: Certifying, delivered_before: bool
) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    if delivered_before:
        deployment.deliver(slot)
    certifying.cut(slot, resend=delivered_before)
    assert deployment.deliver(slot, revise=True).error is None
    assert certifying.verdict(slot) == "unsettled"
    certifying.half_file_appears()
    assert certifying.verdict(slot) == "partner mismatch"
    assert "r1_1of1" in certifying.latest(slot)["problems"][0]
    assert not [one.error for one in deployment.drain() if one.error]
    assert [deployment.identical(slot, file) for file in deployment.received()] == [True, True]
    assert certifying.verdict(slot) == "unsettled"
    certifying.age("/sending-|/delivered-", 2.1)
    certifying.certify(slot)
    deployment.drain()
    assert certifying.verdict(slot) == "certified"
    asked = len(deployment.requests_to_partner())
    assert deployment.drain() == []
    assert len(deployment.requests_to_partner()) == asked


def test_a_file_that_is_sent_again_to_settle_it_is_late_but_once(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load_sample(count=300, contract=promising(minutes=1))
    certifying.cut(slot)
    assert len(deployment.deliver(slot).named("delivery.late")) == 1
    again = deployment.deliver(slot)
    assert len(again.named("upload.completed")) == len(again.named("delivery.completed")) == 1
    assert not again.named("delivery.late")
