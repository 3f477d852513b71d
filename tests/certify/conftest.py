"""What the tests of certify ask for: one slot's certificate, by a message to the function or by a typed command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest

from localcloud.partner.faults import Fault
from localcloud.waiting import until
from pipeline.window import Slot
from tests.deployment import InProcessDeployment, Ran, asking

ALWAYS: Final = 10_000
CUT: Final = 1_000
"""Bytes of a file that arrive before the connection is lost; every file of these tests has more."""


@dataclass
class Certifying:
    """One deployment, one delivered slot at a time."""

    deployment: InProcessDeployment

    def certify(self, slot: Slot) -> Ran:
        """Certify the slot as the function does."""
        ran = self.deployment.run({"action": "certify", **asking(slot)})
        assert ran.error is None, ran.error
        return ran

    def latest(self, slot: Slot) -> dict[str, Any]:
        """The latest certificate of the slot."""
        records = self.deployment.records(slot)
        numbers = {name: tuple(int(one) for one in _numbers(name)) for name in records if "/certificate-" in name}
        return dict(records[max(numbers, key=numbers.__getitem__)])

    def verdict(self, slot: Slot) -> str:
        """The verdict that certify gives now."""
        self.certify(slot)
        return str(self.latest(slot)["verdict"])

    def break_partner(self, *faults: Fault) -> None:
        """Order faults for the files of this deployment."""
        self.deployment.cloud.break_partner(*faults)

    def fault(self, operation: Any, action: Any, **more: Any) -> Fault:
        """A fault of this deployment's files alone."""
        return Fault(operation, action, name=f"{self.deployment.name}*", **more)

    def cut(self, slot: Slot, *, late: float = 1_800, resend: bool = False) -> Ran:
        """An upload of the slot that dies in mid-file, whose part the server keeps for later."""
        self.break_partner(self.fault("write", "drop", after_bytes=CUT, late=late))
        ran = self.deployment.deliver(slot, resend=resend)
        self.deployment.cloud.end_faults()
        assert ran.error is not None
        assert ran.error.code == "partner-unavailable"
        return ran

    def half_file_appears(self) -> None:
        """The server stores the part, over whatever stands there."""
        self.deployment.cloud.store_late_parts()
        until(lambda: any(path.stat().st_size == CUT for path in self.deployment.received()))

    def age(self, names: str, hours: float) -> None:
        """Let so many hours pass for the records whose names match."""
        self.deployment.cloud.age(f"{self.deployment.records_bucket}/.*{names}", hours * 3600)

    def begun_earlier(self, slot: Slot) -> None:
        """The plan as it would be, had it been made two hours ago."""
        deployment = self.deployment
        folder = deployment.within().records.folder(slot).revision(1)
        plan = folder.plan()
        assert plan is not None
        path = f"deliveries/{slot.folder}/r1/plan.json"
        deployment.cloud.storage.bucket(deployment.records_bucket).blob(path).delete()
        folder.create_plan(plan.model_copy(update={"created": plan.created - timedelta(hours=2)}))


def _numbers(name: str) -> list[str]:
    revision, _, record = name.removeprefix("r").partition("/")
    return [revision, record.removeprefix("certificate-")]


@pytest.fixture
def certifying(deployment: InProcessDeployment) -> Certifying:
    """A deployment on AWS Transfer, where files are written under their final names."""
    return Certifying(deployment)


PARTNERS: Final[dict[str, Callable[[Certifying], None]]] = {
    "listed": lambda one: None,
    "asked by name": lambda one: one.break_partner(one.fault("list", "deny", times=ALWAYS)),
    "closed": lambda one: one.break_partner(
        one.fault("list", "deny", times=ALWAYS), one.fault("stat", "deny", times=ALWAYS)
    ),
    "unreachable": lambda one: one.break_partner(Fault("connect", "error", times=ALWAYS)),
    "refused": lambda one: one.break_partner(Fault("auth", "error", times=ALWAYS)),
    "failing": lambda one: one.break_partner(one.fault("list", "error", times=ALWAYS)),
    "collecting": lambda one: one.deployment.set(SFTP_COLLECTS="true"),
}
"""How a partner may answer when it is asked for its files."""
