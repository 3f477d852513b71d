"""The trouble of one dataset or slot keeps no other's hole from being found and filled."""

from __future__ import annotations

from localcloud.partner.faults import Fault
from pipeline.window import Slot, rfc3339
from tests.certify.conftest import Certifying
from tests.deployment import HOUR, InProcessDeployment, Ran


def _hole(deployment: InProcessDeployment) -> Slot:
    """Rows of payments that nobody has delivered."""
    slot = deployment.load("payments")
    deployment.fill(HOUR.start, {"transactions": 5})
    deployment.set(FIRST_HOUR=rfc3339(HOUR.start))
    return slot


def _certified(deployment: InProcessDeployment) -> Ran:
    window = {"start": rfc3339(HOUR.start), "end": rfc3339(HOUR.end)}
    return deployment.run({"action": "certify", "datasets": ["identity", "payments", "transactions"], "window": window})


def test_a_dataset_that_the_warehouse_refuses_stops_no_other(deployment: InProcessDeployment) -> None:
    _hole(deployment)
    deployment.tables.client.delete_table(f"{deployment.tables.name}.identity")
    deployment.deliver(Slot("identity", HOUR))
    ran = _certified(deployment)
    assert [event["dataset"] for event in ran.named("window.missing")] == ["payments", "transactions"]
    assert len(ran.named("window.republished")) == 2


def test_a_dataset_that_cannot_be_judged_fails_the_message_after_the_others_are_repaired(
    deployment: InProcessDeployment,
) -> None:
    _hole(deployment)
    deployment.deliver(Slot("payments", HOUR))
    deployment.tables.client.delete_table(f"{deployment.tables.name}.payments")
    ran = _certified(deployment)
    assert ran.error is not None
    assert ran.error.code == "source-unavailable"
    assert [event["dataset"] for event in ran.named("window.unjudged")] == ["payments"]
    assert [event["dataset"] for event in ran.named("window.republished")] == ["transactions"]


def test_a_changed_host_key_or_a_broken_login_secret_hides_no_hole(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = _hole(deployment)
    deployment.deliver(Slot("transactions", HOUR))
    deployment.cloud.add_secret("other-host-keys", deployment.cloud.login_key.public)
    deployment.cloud.add_secret("broken-key", b"no key at all")
    for settings, event in (
        ({"SFTP_HOST_KEYS_SECRET": "other-host-keys"}, "partner.untrusted"),
        ({"SFTP_HOST_KEYS_SECRET": "sftp-host-keys", "SFTP_KEY_SECRET": "broken-key"}, "partner.unavailable"),
    ):
        deployment.set(**settings)
        ran = _certified(deployment)
        assert ran.error is None
        assert len(ran.named(event)) == 1
        assert [one["dataset"] for one in ran.named("window.republished")] == ["payments"]
        assert certifying.latest(slot)["verdict"] == "missing"


def test_a_partner_that_never_answers_keeps_no_hole_from_being_filled(certifying: Certifying) -> None:
    deployment = certifying.deployment
    _hole(deployment)
    deployment.deliver(Slot("transactions", HOUR))
    deployment.set(TIME_BUDGET_SECONDS="12")
    certifying.break_partner(Fault("auth", "hang", times=9))
    ran = _certified(deployment)
    assert [one["dataset"] for one in ran.named("window.republished")] == ["payments"]
