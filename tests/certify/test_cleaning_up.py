"""Cleaning up removes only what is one's own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.partner.faults import Fault
from localcloud.waiting import until
from pipeline.records.schema import Sending
from pipeline.window import rfc3339
from tests.certify.conftest import CUT, Certifying
from tests.deployment import InProcessDeployment

ROOT = Path(__file__).parents[2]


def test_an_attempt_that_fails_leaves_the_file_that_another_has_delivered(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    deployment.deliver(slot)
    certifying.break_partner(certifying.fault("write", "error", after_bytes=CUT, late=1_800))
    assert deployment.deliver(slot, resend=True).error is not None
    deployment.cloud.end_faults()
    assert deployment.identical(slot, *deployment.received())  # neither closed, which would replace it, nor removed
    assert certifying.verdict(slot) == "unsettled"


def test_an_attempt_that_fails_leaves_the_name_to_another_that_is_under_way(certifying: Certifying) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    certifying.break_partner(certifying.fault("write", "error", after_bytes=CUT))
    assert deployment.deliver(slot).error is not None
    assert deployment.received() == []  # nobody else is there: what it left is removed
    deployment.within().records.folder(slot).revision(1).announce(Sending(part=1, attempt="other"))
    (deployment.files / "placeholder").touch()
    certifying.break_partner(certifying.fault("write", "error", after_bytes=CUT))
    assert deployment.deliver(slot).error is not None
    removed = [entry for entry in deployment.requests_to_partner() if entry.operation == "remove"]
    assert len(removed) == 1


@pytest.mark.parametrize("ended", [signal.SIGINT, signal.SIGKILL])
def test_a_typed_deliver_that_is_broken_off_is_found_by_the_next_certify(
    certifying: Certifying, ended: signal.Signals
) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    certifying.break_partner(certifying.fault("write", "hang", after_bytes=CUT))
    words = ["deliver", "--here", "--yes", "--start", rfc3339(slot.window.start), "--dataset", "payments"]
    command = [sys.executable, "-m", "pipeline", *words]
    with subprocess.Popen(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin", **deployment.environment()}) as typed:
        until(lambda: any("sending" in name for name in deployment.records(slot)))
        until(lambda: any(deployment.cloud.incoming.iterdir()))
        typed.send_signal(ended)
        typed.wait(60)
    deployment.cloud.end_faults()
    assert certifying.verdict(slot) == "missing"
    assert deployment.drain()[-1].error is None
    assert deployment.identical(slot, *deployment.received())
    assert certifying.verdict(slot) == "unsettled"


def test_temporary_names_of_every_kind_of_failure_are_swept(openssh_deployment: InProcessDeployment) -> None:
    certifying = Certifying(openssh_deployment)
    slot = openssh_deployment.load()
    openssh_deployment.deliver(slot)
    (file,) = openssh_deployment.received()
    late = openssh_deployment.files / f".{file.name}.abcdef123456.part"
    foreign = openssh_deployment.files / ".of somebody else.abcdef123456.part"
    late.write_bytes(b"half")
    foreign.write_bytes(b"theirs")
    assert certifying.verdict(slot) == "certified"
    assert (late.exists(), foreign.exists()) == (False, True)


@pytest.mark.parametrize("fault", [Fault("stat", "lie"), Fault("rename", "deny")])
def test_a_temporary_name_is_gone_after_a_wrong_size_or_a_rename_that_is_denied(
    certifying: Certifying, fault: Fault
) -> None:
    deployment = certifying.deployment
    deployment.set(SFTP_PUBLISH="rename")
    slot = deployment.load()
    certifying.break_partner(certifying.fault(fault.operation, fault.action))
    assert deployment.deliver(slot).error is not None
    assert list(deployment.files.iterdir()) == []
