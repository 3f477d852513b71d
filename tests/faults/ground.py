"""A whole world whose every part can be broken on order, and the deployed function in it, closely watched."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import requests

from localcloud.function import Function
from localcloud.partner.faults import Fault, order
from localcloud.partner.journal import Entry, entries
from localcloud.processes import repository, start
from localcloud.world import PROJECT, REJECTED, TOPIC, World, world
from pipeline.window import HOUR, Slot, Window
from tests.faults.gpg import Gpg

BUDGET: Final = 10
"""Seconds of one invocation where something hangs: the least that the settings allow."""
AMPLE: Final = 120
"""Seconds of one invocation where nothing hangs, so that a slow machine changes no outcome."""
DATASET: Final = "payments"


@dataclass
class Ground:
    """The world, the ways to break it, and the function; made by `ground`."""

    local: World
    gpg: Gpg
    temporary: Path
    end: datetime = field(default_factory=lambda: datetime.now(UTC).replace(minute=0, second=0, microsecond=0))
    hours: int = 0
    functions: dict[str, Function] = field(default_factory=dict)
    seen: dict[Path, int] = field(default_factory=dict)

    def slot(self, rows: int) -> Slot:
        """One hour of payments that no test has had yet, complete at the source."""
        self.hours += 1
        window = Window.hour(self.end - (self.hours + 1) * HOUR)
        self.local.fill(window.start, {DATASET: rows}, seed=self.hours)
        self.local.tables.complete([DATASET], self.end)
        return Slot(DATASET, window)

    def function(
        self, publish: str = "direct", budget: int = AMPLE, name: str = "", workers: int = 1, **more: str
    ) -> Function:
        """The function, running; one process for each way of publishing files, each budget and each name."""
        name = f"function-{publish}-{budget}{name}"
        if name not in self.functions:
            settings = {
                "SFTP_PUBLISH": publish,
                "TIME_BUDGET_SECONDS": str(budget),
                "PATH": f"{self.gpg.directory}:{os.environ['PATH']}",
                "TMPDIR": str(self.temporary),
                "PYTHONPATH": str(repository()),
                **more,
            }
            made = self.local.function(name=name, workers=workers)
            made.settings = {**made.settings, **settings}
            made.source = Path(__file__).with_name("observed.py")
            self.functions[name] = made
        made = self.functions[name]
        if made.process is None or made.process.poll() is not None:
            made.start()
        return made

    def break_storage(self, match: str, action: str, **more: int) -> None:
        """See localcloud/storage/faults.py."""
        self._post("storage", "url", {"match": match, "action": action, **more})

    def storage_struck(self) -> bool:
        """Every fault ordered from the storage has struck once at least."""
        report = requests.get(f"{self.local.services['storage'].ready['url']}/_faults", timeout=5).json()
        return bool(report) and all(one["struck"] for one in report)

    def break_warehouse(self, match: str, action: str, **more: int) -> None:
        """See localcloud/bigquery/faults.py."""
        self._post("bigquery", "rest", {"match": match, "action": action, **more})

    def break_partner(self, *faults: Fault) -> None:
        """See localcloud/partner/faults.py."""
        order(self.local.root / "partner.json", *faults)

    def break_topics(self, *faults: dict[str, Any]) -> None:
        """See localcloud/pubsub/faults.py."""
        draft = self.local.root / "pubsub.draft"
        draft.write_text(json.dumps(faults))
        draft.replace(self.local.root / "pubsub.json")

    def mend(self) -> None:
        """Take every order back; what hangs at the storage is let go."""
        self.gpg.mend()
        self.break_partner()
        self.break_topics()
        for name, address in (("storage", "url"), ("bigquery", "rest")):
            requests.delete(f"{self.local.services[name].ready[address]}/_faults", timeout=5).raise_for_status()

    def look(self) -> None:
        """From now on `lines`, `events`, `said` and `asked` tell what comes after this moment."""
        logs = [*(one.log for one in self.functions.values()), self.local.root / "partner.log"]
        self.seen = {path: len(_lines(path)) for path in logs}

    def lines(self) -> list[str]:
        """What the functions have written, line by line."""
        logs = [one.log for one in self.functions.values()]
        return [line for path in logs for line in _lines(path)[self.seen.get(path, 0) :]]

    def events(self) -> list[dict[str, Any]]:
        """Their structured events."""
        found = [json.loads(line) for line in self.lines() if line.startswith("{")]
        return [event for event in found if "event" in event]

    def said(self) -> list[str]:
        """The names of their events."""
        return [event["event"] for event in self.events()]

    def asked(self) -> list[str]:
        """The operations that the partner's server was asked for."""
        return [entry.operation for entry in self.journal()[self.seen.get(self.local.root / "partner.log", 0) :]]

    def journal(self) -> list[Entry]:
        """What the partner's server was asked."""
        return entries(self.local.root / "partner.log")

    def published(self) -> list[bytes]:
        """Take the messages that the function put on its own topic."""
        name = f"projects/{PROJECT}/subscriptions/seen"
        asked = {"subscription": name, "max_messages": 1000, "return_immediately": True}
        subscriber, found = self.local.subscriber, []
        while received := subscriber.pull(request=asked).received_messages:
            subscriber.acknowledge(subscription=name, ack_ids=[one.ack_id for one in received])
            found += [bytes(one.message.data) for one in received]
        return found

    def _post(self, service: str, address: str, body: dict[str, Any]) -> None:
        url = f"{self.local.services[service].ready[address]}/_faults"
        requests.post(url, json=body, timeout=5).raise_for_status()


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []


@contextmanager
def ground() -> Iterator[Ground]:
    """A world of AWS's manners with all faults in reach; the function keeps to a directory for temporary files."""
    with tempfile.TemporaryDirectory(prefix="pf-") as directory:
        root = Path(directory)
        options = ["--faults-file", str(root / "partner.json"), "--log", str(root / "partner.log")]
        with world(root, partner_options=options) as local:
            _breakable_topics(local)
            temporary = root / "tmp"
            temporary.mkdir()
            made = Ground(local, Gpg(root / "bin"), temporary)
            made.mend()
            try:
                yield made
            finally:
                for function in made.functions.values():
                    function.stop()


def _breakable_topics(local: World) -> None:
    local.services["pubsub"].stop()
    faults = str(local.root / "pubsub.json")
    local.services["pubsub"] = start("localcloud.pubsub", "--faults-file", faults, logs=local.root / "logs")
    for topic, subscription in ((TOPIC, "seen"), (REJECTED, "rejected")):
        name = f"projects/{PROJECT}/topics/{topic}"
        local.publisher.create_topic(name=name)
        local.subscriber.create_subscription(name=f"projects/{PROJECT}/subscriptions/{subscription}", topic=name)
