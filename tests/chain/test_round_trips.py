"""How often a small delivery waits for the store, and starts gpg: what goes out together counts once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from pipeline.pgp.home import Gpg
from pipeline.window import HOUR, Slot, Window, rfc3339
from tests.bench.naming import named
from tests.chain.test_punctual import promising
from tests.deployment import HOUR as THEN
from tests.deployment import InProcessDeployment, asking
from tests.sample_contract import CONTRACT, table

PATIENCE = 120.0

DUPLICATE = [{"GET list", "GET plan.json", "GET delivered-1-1.json"}]
DELIVERY = [
    *DUPLICATE,
    {"POST plan.json"},
    {"POST .txt", "POST .txt.pgp"},
    {"POST sealed-1.json", "GET list", "GET .txt.pgp"},
    {"POST sending"},
    {"POST delivered-1-1.json"},
]
"""The requests of each turn: none of a turn is answered before all of it have come."""

OVERDUE = [*DELIVERY[:-2], {"POST sending", "GET certificate-1.json"}, DELIVERY[-1]]
"""Of an hour that certify found overdue before."""

GPGS = 7
"""Two imports, two listings, a throw-away key, encryption, decryption."""


@dataclass
class Turns:
    """A store that serves in turns; `wrong` says what came out of turn, or did not come."""

    left: list[set[str]] = field(default_factory=list)
    here: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    serving: bool = False

    def serve(self, turns: Sequence[set[str]]) -> None:
        """From now on these turns."""
        self.left, self.serving = list(turns), True

    def come(self, what: str) -> None:
        """Wait for the others of this turn."""
        with self.changed:
            if not self.serving:
                return
            if not self.left or what not in self.left[0]:
                self.wrong.append(f"{what} when the turn was {self.left[:1]}")
                return
            turn, self.here = self.left[0], self.here | {what}
            if self.here == turn:
                self.left, self.here = self.left[1:], set()
                self.changed.notify_all()
            elif not self.changed.wait_for(lambda: not self.left or self.left[0] is not turn, PATIENCE):
                self.wrong.append(f"{what} waited for {turn - self.here}")


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """What every request to the store goes through."""
    made, send = Turns(), HTTPAdapter.send

    def sent(adapter: HTTPAdapter, request: requests.PreparedRequest, *more: Any, **options: Any) -> requests.Response:
        service, what = named(request)
        if service == "storage":
            method, _, name = what.partition(" ")
            kind = next((end for end in (".txt.pgp", ".txt") if name.endswith(end)), name)
            made.come(f"{method} {'sending' if kind.startswith('sending-1-') else kind}")
        return send(adapter, request, *more, **options)

    monkeypatch.setattr(HTTPAdapter, "send", sent)
    return made


def hours(deployment: InProcessDeployment, contract: str = CONTRACT) -> tuple[Slot, Slot]:
    """Two hours of a dataset; the first is delivered, so that the process is warm. Without a contract that says so,
    nothing is promised."""
    first = deployment.load_sample(contract=contract, window=Window(THEN.start - HOUR, THEN.start))
    deployment.tables.load("ledger_v2", table(THEN, 30))
    deployment.tables.complete(["bookings"], THEN.end)
    assert deployment.deliver(first).error is None
    return first, Slot("bookings", THEN)


def test_a_small_delivery_waits_for_the_store_six_times_and_a_duplicate_once(
    any_deployment: InProcessDeployment, turns: Turns
) -> None:
    _, slot = hours(any_deployment)
    turns.serve(DELIVERY)
    assert any_deployment.deliver(slot).error is None
    assert (turns.left, turns.wrong) == ([], [])
    turns.serve(DUPLICATE)
    assert "delivery.unchanged" in any_deployment.deliver(slot).names
    assert (turns.left, turns.wrong) == ([], [])


def test_a_delivery_later_than_promised_waits_for_the_store_no_more_often(
    any_deployment: InProcessDeployment, turns: Turns
) -> None:
    _, slot = hours(any_deployment, promising(1))
    turns.serve(DELIVERY)
    assert any_deployment.deliver(slot).named("delivery.late")
    assert (turns.left, turns.wrong) == ([], [])


def test_nor_does_one_that_certify_has_found_overdue(any_deployment: InProcessDeployment, turns: Turns) -> None:
    _, slot = hours(any_deployment, promising(1))
    any_deployment.set(FIRST_HOUR=rfc3339(slot.window.start))
    assert any_deployment.run({"action": "certify", **asking(slot)}).named("delivery.overdue")
    turns.serve(OVERDUE)
    (completed,) = any_deployment.deliver(slot).named("delivery.completed")
    assert "in_time" not in completed
    assert (turns.left, turns.wrong) == ([], [])


def test_a_warm_delivery_starts_gpg_seven_times(
    deployment: InProcessDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, slot = hours(deployment)
    started: list[list[str]] = []
    opening = Gpg._open_subprocess

    def opened(gpg: Gpg, args: list[str], passphrase: bool = False) -> Any:
        started.append(args)
        return opening(gpg, args, passphrase)

    monkeypatch.setattr(Gpg, "_open_subprocess", opened)
    assert deployment.deliver(slot).error is None
    assert len(started) == GPGS, started
