"""One test's own corner of the shared cloud, and the function's entry point called as the platform calls it."""

from __future__ import annotations

import base64
import io
import json
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import pytest
import requests
from cloudevents.http import CloudEvent
from google.protobuf import duration_pb2
from google.pubsub_v1 import PubsubMessage

import main
from localcloud.function import Function
from localcloud.opened import decrypt, in_warehouse, partner_home, read_csv
from localcloud.partner import faults, journal
from localcloud.partner.faults import Fault
from localcloud.processes import Service, start
from localcloud.tables import Tables
from localcloud.world import PROJECT, Manners, World
from pipeline import log, settings
from pipeline.budget import Budget
from pipeline.errors import PipelineError
from pipeline.run import Deployment, Run
from pipeline.window import Slot, Window, rfc3339
from tests.bookings import CONTRACT, table

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
class Tenant(World):
    """Tables, buckets, topics and a directory at the partner that no other test knows; the services are shared."""

    name: str = ""
    environ: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)

    @classmethod
    def of(cls, local: World, manners: Manners, environ: pytest.MonkeyPatch) -> Self:
        """A new corner of `local`, with its settings in the environment of this process."""
        made = cls(local.root, manners, dict(local.services), local.contracts_directory)
        made.name, made.environ = f"t{uuid.uuid4().hex[:10]}", environ
        made.partner_key, made.signing_key = local.partner_key, local.signing_key
        made.login_key, made.server_key = local.login_key, local.server_key
        if manners == "openssh":
            made.services["partner"] = local.services["openssh"]
        made.files.mkdir()
        for bucket in ("archive", "records"):
            made.storage.create_bucket(f"{made.name}-{bucket}")
        for topic in ("topic", "rejected"):
            path = f"projects/{PROJECT}/topics/{made.name}-{topic}"
            made.publisher.create_topic(name=path)
            made.subscriber.create_subscription(name=made._subscription(topic), topic=path)
        made.set()
        return made

    def set(self, **values: str) -> None:
        """Deploy anew with these settings beside the tenant's own."""
        self.overrides.update(values)
        for name, value in self.environment().items():
            self.environ.setenv(name, value)
        main.deployment.cache_clear()

    def use(self, contract: str = CONTRACT) -> None:
        """Replace the shipped contracts by one of the test's own."""
        directory = self.root / "contracts" / self.name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "contract.yaml").write_text(contract)
        self.contracts_directory = directory
        self.set()

    @property
    def files(self) -> Path:
        """Where the partner's files of this tenant lie."""
        return Path(self.services["partner"].ready["root"]) / self.name

    @property
    def tables(self) -> Tables:
        """The tenant's warehouse."""
        return Tables(self.services["bigquery"].ready["rest"], PROJECT, self.name)

    def environment(self) -> dict[str, str]:
        """The function's settings for this tenant."""
        return {
            **super().environment(),
            "BIGQUERY_DATASET": self.name,
            "ARCHIVE_BUCKET": f"{self.name}-archive",
            "RECORDS_BUCKET": f"{self.name}-records",
            "TOPIC": f"{self.name}-topic",
            "REJECTED_TOPIC": f"{self.name}-rejected",
            "SFTP_DIRECTORY": self.name,
            **self.overrides,
        }

    def cloud(self, seconds: float = 60) -> Run:
        """What an action is given."""
        return Run(Deployment(settings.from_environment()), Budget.of(seconds))

    def load(self, name: str = "payments", count: int = 30, *, window: Window = HOUR, seed: int = 0) -> Slot:
        """Sample rows of one dataset in one hour, complete at the source."""
        self.tables.create(self.datasets.values())
        self.fill(window.start, {name: count}, seed=seed)
        return Slot(name, window)

    def book(self, count: int = 30, *, internal: int = 0, contract: str = CONTRACT, window: Window = HOUR) -> Slot:
        """Rows of the test's own contract, complete at the source; the last `internal` must never leave."""
        self.use(contract)
        self.tables.create(self.datasets.values())
        target = f"{self.tables.name}.ledger_v2"
        self.tables.sql(f"ALTER TABLE `{target}` ADD COLUMN is_internal BOOL")
        if count:
            self.tables.load("ledger_v2", table(window, count, internal=internal))
        self.tables.complete(["bookings"], window.end)
        return Slot("bookings", window)

    def run(self, content: Mapping[str, object] | bytes | None = None, *, message_id: str = "") -> Ran:
        """Call the entry point with one message, as functions-framework does."""
        return self.handle(envelope(content, message_id))

    def handle(self, message: object) -> Ran:
        """Call the entry point with whatever stands in the place of a message."""
        lines = io.StringIO()
        error: PipelineError | None = None
        with log.written_to(lines):
            try:
                main.handle(CloudEvent(self.attributes, {"message": message}))
            except PipelineError as raised:
                error = raised
        return Ran([json.loads(line) for line in lines.getvalue().splitlines()], error)

    @property
    def attributes(self) -> dict[str, str]:
        """Those of a CloudEvent that carries a message of the tenant's topic."""
        return {
            "type": "google.cloud.pubsub.topic.v1.messagePublished",
            "source": f"//pubsub.googleapis.com/projects/{PROJECT}/topics/{self.name}-topic",
        }

    def deliver(self, slot: Slot, *, message_id: str = "", **more: object) -> Ran:
        """Ask for one slot."""
        return self.run({**asking(slot), **more}, message_id=message_id)

    def drain(self) -> list[Ran]:
        """Run every message that the function published to its own topic, until there are none."""
        ran: list[Ran] = []
        while found := self.taken("topic"):
            ran += [self.run(bytes(one.data)) for one in found]
        return ran

    def rejected(self) -> list[bytes]:
        """Take everything that is on the rejected topic now."""
        return [bytes(one.data) for one in self.taken("rejected")]

    def publish(self, data: bytes, topic: str = "topic") -> str:
        """Publish one message to the tenant's topic."""
        return super().publish(data, f"{self.name}-{topic}")

    def subscribe(self, function: Function, *, least: float = 0.2, most: float = 2.0, deadline: int = 600) -> None:
        """Push the tenant's topic to a function in place of the pulling by `drain`."""
        self.subscriber.create_subscription(
            request={
                "name": self._subscription("function"),
                "topic": f"projects/{PROJECT}/topics/{self.name}-topic",
                "ack_deadline_seconds": deadline,
                "push_config": {"push_endpoint": function.url},
                "retry_policy": {
                    "minimum_backoff": duration_pb2.Duration(nanos=int(least * 1e9)),
                    "maximum_backoff": duration_pb2.Duration(seconds=int(most)),
                },
            }
        )

    @contextmanager
    def serving(self) -> Iterator[Function]:
        """The deployed code in a process of its own, fed by the tenant's topic."""
        function = self.function(name=self.name).start()
        try:
            self.subscribe(function)
            yield function
        finally:
            self.subscriber.delete_subscription(subscription=self._subscription("function"))
            function.stop()

    def post(self, function: Function, content: Mapping[str, object]) -> bool:
        """Push one message to a function and wait for its answer; whether it acknowledged."""
        headers = {f"ce-{name}": value for name, value in self.attributes.items()}
        headers |= {"ce-id": uuid.uuid4().hex, "ce-specversion": "1.0"}
        return requests.post(function.url, json={"message": envelope(content)}, headers=headers, timeout=60).ok

    def open(self, file: Path) -> bytes:
        """What the partner finds in a file, signed by us."""
        with partner_home(self.partner_key, self.signing_key) as home:
            return decrypt(home, file, self.signing_key.fingerprint)

    def identical(self, slot: Slot, *files: Path) -> bool:
        """Whether the files hold just the rows of the warehouse, as DuckDB reads them."""
        dataset = self.datasets[slot.dataset]
        theirs = [row for file in files for row in read_csv(self.open(file), dataset)]
        return sorted(theirs, key=str) == sorted(in_warehouse(self, dataset, slot.window), key=str)

    def records(self, slot: Slot) -> dict[str, Any]:
        """Every record of a slot by its name, such as `r1/plan`."""
        prefix = f"deliveries/{slot.folder}/"
        blobs = self.storage.list_blobs(f"{self.name}-records", prefix=prefix)
        contents = {blob.name: json.loads(blob.download_as_bytes()) for blob in blobs}
        return {name.removeprefix(prefix).removesuffix(".json"): one["record"] for name, one in contents.items()}

    def archived(self) -> list[str]:
        """Names of all archived objects."""
        return [blob.name for blob in self.storage.list_blobs(f"{self.name}-archive")]

    def break_storage(self, match: str, action: str, **more: int) -> None:
        """See localcloud/storage/faults.py; `match` is searched behind the tenant's name.

        It should name objects (`/o`): the client asks for the bucket itself whenever it likes, in a thread of its own.
        """
        fault = {"match": f"{self.name}.*{match}", "action": action, **more}
        requests.post(self._storage_faults, json=fault, timeout=5).raise_for_status()

    def break_warehouse(self, match: str, action: str, **more: int) -> None:
        """See localcloud/bigquery/faults.py."""
        url = f"{self.services['bigquery'].ready['rest']}/_faults"
        requests.post(url, json={"match": match, "action": action, **more}, timeout=5).raise_for_status()

    def break_partner(self, *orders: Fault) -> None:
        """See localcloud/partner/faults.py."""
        faults.order(self.root / "faults.json", *orders)

    def asked_of_partner(self) -> list[journal.Entry]:
        """What was asked of the partner's server about this tenant's files."""
        return [entry for entry in journal.entries(self.root / "journal") if f"/{self.name}" in entry.path]

    def mend(self) -> None:
        """Take all faults away."""
        requests.delete(self._storage_faults, timeout=5)
        requests.delete(f"{self.services['bigquery'].ready['rest']}/_faults", timeout=5)
        (self.root / "faults.json").unlink(missing_ok=True)

    @property
    def _storage_faults(self) -> str:
        return f"{self.services['storage'].ready['url']}/_faults"

    def _subscription(self, name: str) -> str:
        return f"projects/{PROJECT}/subscriptions/{self.name}-{name}"

    def taken(self, topic: str) -> list[PubsubMessage]:
        """Take everything that is on a topic of the tenant now."""
        path, found = self._subscription(topic), []
        request = {"subscription": path, "max_messages": 1000, "return_immediately": True}
        with warnings.catch_warnings():  # to wait for messages that never come would be better only where some may
            warnings.simplefilter("ignore", DeprecationWarning)
            while received := self.subscriber.pull(request=request).received_messages:
                self.subscriber.acknowledge(subscription=path, ack_ids=[one.ack_id for one in received])
                found += [one.message for one in received]
        return found


def envelope(content: Mapping[str, object] | bytes | None = None, message_id: str = "") -> dict[str, str]:
    """A message as Pub/Sub wraps it."""
    data = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
    return {
        "data": base64.b64encode(data).decode(),
        "messageId": message_id or uuid.uuid4().hex,
        "publishTime": rfc3339(datetime.now(UTC)),
    }


def asking(slot: Slot) -> dict[str, object]:
    """The message that asks for one slot."""
    window = {"start": rfc3339(slot.window.start), "end": rfc3339(slot.window.end)}
    return {"window": window, "datasets": [slot.dataset]}


def openssh(local: World) -> Service:
    """A second server of the partner, an ordinary one, with the same keys."""
    root = local.root / "openssh"
    root.mkdir()
    return start(
        "localcloud.partner",
        *["--manners", "openssh", "--root", str(root), "--host-key", str(local.root / "host_key")],
        *["--authorized-keys", str(local.root / "authorized_keys"), "--log", str(local.root / "sshd.log")],
        logs=local.root / "logs",
    )
