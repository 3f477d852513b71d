"""A deployment whose function runs in the test's own process: its entry point is called as the platform calls it."""

from __future__ import annotations

import base64
import io
import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import pytest
import requests
from flask import Request
from werkzeug.test import EnvironBuilder

import main
from localcloud.cloud import LocalCloud, ServerProfile
from localcloud.deployment import LocalDeployment
from localcloud.function import Function
from localcloud.opened import decrypt, in_warehouse, partner_home, read_csv
from localcloud.partner.journal import Entry
from pipeline import log, settings
from pipeline.budget import Budget
from pipeline.errors import PipelineError
from pipeline.run import Deployment, Run
from pipeline.window import Slot, Window, rfc3339
from tests.sample_contract import CONTRACT, table

main.start.took()  # the process of the tests waited for its first message, and not the message for it

NOW: Final = datetime.now(UTC)
HOUR: Final = Window.last_full_hour_before(NOW - timedelta(hours=1))
"""An hour that is over, however long the tests take."""


@dataclass(frozen=True)
class Ran:
    """One run of the function: what it logged, and the error that it raised (None: the message is acknowledged)."""

    events: list[dict[str, Any]]
    error: PipelineError | None

    def named(self, *names: str) -> list[dict[str, Any]]:
        """The events of these names, in order."""
        return [event for event in self.events if event["event"] in names]

    @property
    def names(self) -> list[str]:
        """The names of all events, in order."""
        return [str(event["event"]) for event in self.events]


@dataclass
class InProcessDeployment(LocalDeployment):
    """A deployment that no other test knows; its settings are those of this process."""

    environ: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)

    @classmethod
    def of(cls, cloud: LocalCloud, profile: ServerProfile, environ: pytest.MonkeyPatch) -> Self:
        """A new deployment in `cloud`, with its settings in the environment of this process."""
        made = cls(cloud, f"t{uuid.uuid4().hex[:10]}", profile, environ=environ).create()
        made.set()
        return made

    def set(self, **values: str) -> None:
        """Deploy anew with these settings added to the deployment's own."""
        self.overrides.update(values)
        for name, value in self.environment().items():
            self.environ.setenv(name, value)
        main.deployment.cache_clear()

    def use(self, contract: str = CONTRACT) -> None:
        """Replace the shipped contracts by one of the test's own."""
        directory = self.cloud.root / "contracts" / self.name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "contract.yaml").write_text(contract)
        self.contracts_directory = directory
        self.set()

    def load(self, name: str = "payments", count: int = 30, *, window: Window = HOUR, seed: int = 0) -> Slot:
        """Sample rows of one dataset in one hour, complete at the source."""
        self.tables.create(self.datasets.values())
        self.fill(window.start, {name: count}, seed=seed)
        return Slot(name, window)

    def load_sample(
        self, count: int = 30, *, internal: int = 0, contract: str = CONTRACT, window: Window = HOUR
    ) -> Slot:
        """Rows of the tests' own contract, complete at the source; the last `internal` must never leave."""
        self.use(contract)
        self.tables.create(self.datasets.values())
        target = f"{self.tables.name}.ledger_v2"
        self.tables.sql(f"ALTER TABLE `{target}` ADD COLUMN is_internal BOOL")
        if count:
            self.tables.load("ledger_v2", table(window, count, internal=internal))
        self.tables.complete(["bookings"], window.end)
        return Slot("bookings", window)

    def within(self, seconds: float = 60) -> Run:
        """What an action is given, with a budget of so many seconds."""
        return Run(Deployment(settings.from_environment()), Budget.of(seconds))

    def run(self, content: Mapping[str, object] | bytes | None = None, *, message_id: str = "") -> Ran:
        """Call the entry point with one message, as functions-framework does."""
        return self.handle(envelope(content, message_id))

    def handle(self, message: object) -> Ran:
        """Call the entry point with whatever stands in the place of a message."""
        lines = io.StringIO()
        error: PipelineError | None = None
        with log.written_to(lines):
            try:
                main.handle(pushed({"message": message, "subscription": self.topic}))
            except PipelineError as raised:
                error = raised
        logging.getLogger(__name__).warning("%s", lines.getvalue())  # pytest shows it where the test fails
        return Ran([json.loads(line) for line in lines.getvalue().splitlines()], error)

    def deliver(self, slot: Slot, *, message_id: str = "", **more: object) -> Ran:
        """Ask for one slot."""
        return self.run({**asking(slot), **more}, message_id=message_id)

    def drain(self) -> list[Ran]:
        """Run every message that the function published to its own topic, until there are none."""
        ran: list[Ran] = []
        while messages := self.published():
            ran += [self.run(data) for data in messages]
        return ran

    def post(self, function: Function, content: Mapping[str, object]) -> bool:
        """Push one message to a function and wait for its answer; whether it acknowledged."""
        body = {"message": envelope(content), "subscription": self.topic}
        return requests.post(function.url, json=body, timeout=60).ok

    def open(self, file: Path) -> bytes:
        """What the partner finds in a file, signed by us."""
        with partner_home(self.cloud.partner_key, self.cloud.signing_key) as home:
            return decrypt(home, file, self.cloud.signing_key.fingerprint)

    def identical(self, slot: Slot, *files: Path) -> bool:
        """Whether the files hold just the rows of the warehouse, as DuckDB reads them."""
        dataset = self.datasets[slot.dataset]
        theirs = [row for file in files for row in read_csv(self.open(file), dataset)]
        return sorted(theirs, key=str) == sorted(in_warehouse(self, dataset, slot.window), key=str)

    def break_storage(self, match: str, action: str, **more: int) -> None:
        """See localcloud/storage/faults.py; `match` is searched behind the deployment's name.

        It should name objects (`/o`): the client asks for the bucket itself whenever it likes, in a thread of its own.
        """
        self.cloud.break_storage(f"{self.name}.*{match}", action, **more)

    def requests_to_partner(self) -> list[Entry]:
        """What was asked of the partner's server about this deployment's files."""
        return [entry for entry in self.cloud.journal() if f"/{self.name}" in entry.path]


def envelope(content: Mapping[str, object] | bytes | None = None, message_id: str = "") -> dict[str, str]:
    """A message as Pub/Sub wraps it."""
    data = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
    return {
        "data": base64.b64encode(data).decode(),
        "messageId": message_id or uuid.uuid4().hex,
        "publishTime": rfc3339(datetime.now(UTC)),
    }


def pushed(body: object, **headers: str) -> Request:
    """A request as the function gets it; a body that is bytes is posted as it is."""
    given: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
    return Request(EnvironBuilder(method="POST", headers=[*headers.items()], **given).get_environ())


def asking(slot: Slot) -> dict[str, object]:
    """The message that asks for one slot."""
    window = {"start": rfc3339(slot.window.start), "end": rfc3339(slot.window.end)}
    return {"window": window, "datasets": [slot.dataset]}
