"""A running service with short deadlines, its clients, and a topic of its own for every test."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.types import PublisherOptions

from localcloud.pubsub.endpoint import Endpoint, endpoint
from localcloud.storage.process import running

PROJECT = "projects/local"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A push as the service logged it."""

    status: int | str
    seconds: float


@dataclass(frozen=True, slots=True)
class Deployment:
    publisher: PublisherClient
    subscriber: SubscriberClient
    log: Path
    faults: Path

    def publish(self, topic: str, data: bytes = b"", ordering_key: str = "", **attributes: str) -> str:
        """The id of the message."""
        sent = self.publisher.publish(topic, data, ordering_key=ordering_key, **attributes)
        return str(sent.result(20))

    def subscribe(self, topic: str, **settings: object) -> str:
        """The name of a new subscription; `backoff=(least, most)` in seconds stands for its retry policy."""
        backoff = settings.pop("backoff", None)
        if isinstance(backoff, tuple):
            least, most = (timedelta(seconds=one) for one in backoff)
            settings["retry_policy"] = {"minimum_backoff": least, "maximum_backoff": most}
        name = f"{PROJECT}/subscriptions/s{uuid.uuid4().hex}"
        self.subscriber.create_subscription(request={"name": name, "topic": topic, **settings})
        return name

    def pull(self, subscription: str, *, most: int = 10, at_once: bool = False) -> list[tuple[str, bytes]]:
        """Ack ids and data."""
        request = {"subscription": subscription, "max_messages": most, "return_immediately": at_once}
        with pytest.warns(DeprecationWarning, match="return_immediately") if at_once else nullcontext():
            found = self.subscriber.pull(request=request, timeout=15).received_messages
        return [(one.ack_id, one.message.data) for one in found]

    def attempts(self, message_id: str) -> list[Attempt]:
        """What the service logged about the pushes of a message."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [Attempt(one["status"], one["seconds"]) for one in lines if one["messageId"] == message_id]

    def wait_for_log(self, message_id: str, attempts: int) -> list[Attempt]:
        """Raises: TimeoutError after 20 s without that many attempts in the log."""
        until = time.monotonic() + 20
        while len(found := self.attempts(message_id)) < attempts:
            if time.monotonic() > until:
                raise TimeoutError(f"the log has {found}")
            threading.Event().wait(0.01)
        return found


@pytest.fixture(scope="package")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("pubsub")
    arguments = ("--shortest-ack-deadline", "1", "--faults-file", str(folder / "faults.json"))
    with (folder / "log").open("wb") as log, running("localcloud.pubsub", *arguments, log=log) as started:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PUBSUB_EMULATOR_HOST", started.ready["grpc"])
            options = PublisherOptions(enable_message_ordering=True)
            publisher, subscriber = PublisherClient(publisher_options=options), SubscriberClient()
        with subscriber:
            yield Deployment(publisher, subscriber, folder / "log", folder / "faults.json")
        publisher.stop()


@pytest.fixture
def topic(clients: Deployment) -> str:
    name = f"{PROJECT}/topics/t{uuid.uuid4().hex}"
    clients.publisher.create_topic(name=name)
    return name


@pytest.fixture
def target() -> Iterator[Endpoint]:
    with endpoint() as made:
        yield made
