"""A deployment in a local cloud: what Terraform would make for one function, under names of its own.

A dataset, two buckets, two topics with a subscription each to pull from, a directory at the partner, and the function's
settings. Making one takes milliseconds, so that every test has its own; the services behind it are shared.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from google.protobuf import duration_pb2
from google.pubsub_v1 import PubsubMessage

from localcloud import keys, sampledata
from localcloud.cloud import PROJECT, LocalCloud, ServerProfile, local_cloud
from localcloud.distance import NONE, Distance
from localcloud.function import Function
from localcloud.processes import Service
from localcloud.tables import Tables
from pipeline.contracts import reader
from pipeline.contracts.dataset import Dataset
from pipeline.settings import HERE
from pipeline.window import Slot, Window

DATASET: Final = "amazon_pspp"
TOPIC: Final = "amazon-pspp"
REJECTED: Final = "amazon-pspp-rejected"


@dataclass
class LocalDeployment:
    """One function's part of a local cloud. Without a `name` everything is called as in a real deployment."""

    cloud: LocalCloud
    name: str = ""
    profile: ServerProfile = "aws"
    contracts_directory: Path = HERE / "contracts"
    overrides: dict[str, str] = field(default_factory=dict)

    def create(self) -> Self:
        """Make buckets, topics, subscriptions and the directory at the partner; no tables."""
        self.files.mkdir(parents=True, exist_ok=True)
        for bucket in (self.archive_bucket, self.records_bucket):
            self.cloud.storage.create_bucket(bucket)
        for topic in (self.topic, self.rejected_topic):
            path = f"projects/{PROJECT}/topics/{topic}"
            self.cloud.publisher.create_topic(name=path)
            self.cloud.subscriber.create_subscription(name=_subscription(topic), topic=path)
        return self

    @property
    def warehouse_dataset(self) -> str:
        """The BigQuery dataset."""
        return self.name or DATASET

    @property
    def archive_bucket(self) -> str:
        """The bucket of the audit copies."""
        return f"{self.name}-archive" if self.name else "archive"

    @property
    def records_bucket(self) -> str:
        """The bucket of the records."""
        return f"{self.name}-records" if self.name else "records"

    @property
    def topic(self) -> str:
        """The topic that triggers the function."""
        return f"{self.name}-topic" if self.name else TOPIC

    @property
    def rejected_topic(self) -> str:
        """The topic of messages that can never succeed."""
        return f"{self.name}-rejected" if self.name else REJECTED

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The contracts."""
        return reader.load(self.contracts_directory)

    @cached_property
    def tables(self) -> Tables:
        """The tables that the function reads."""
        return Tables(self.cloud.address("bigquery", "rest"), PROJECT, self.warehouse_dataset)

    @property
    def partner(self) -> Service:
        """The partner's server."""
        return self.cloud.services[self.profile]

    @property
    def files(self) -> Path:
        """Where the partner's files lie."""
        return self.cloud.partner_root(self.profile) / self.name

    def received(self) -> list[Path]:
        """The partner's files, without temporary ones."""
        return sorted(path for path in self.files.iterdir() if path.is_file() and not path.name.startswith("."))

    def environment(self) -> dict[str, str]:
        """The function's settings."""
        partner = self.partner.ready
        return {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "BIGQUERY_DATASET": self.warehouse_dataset,
            "ARCHIVE_BUCKET": self.archive_bucket,
            "RECORDS_BUCKET": self.records_bucket,
            "TOPIC": self.topic,
            "REJECTED_TOPIC": self.rejected_topic,
            "SFTP_HOST": partner["host"],
            "SFTP_PORT": str(partner["port"]),
            "SFTP_USER": partner["user"],
            "SFTP_DIRECTORY": self.name,
            "SFTP_PUBLISH": "direct" if self.profile == "aws" else "rename",
            "CONTRACTS_DIRECTORY": str(self.contracts_directory),
            "BIGQUERY_EMULATOR_HOST": self.cloud.address("bigquery", "rest"),
            "BIGQUERY_STORAGE_EMULATOR_HOST": self.cloud.address("bigquery", "grpc"),
            "SECRET_MANAGER_EMULATOR_HOST": self.cloud.address("secretmanager", "grpc"),
            "STORAGE_EMULATOR_HOST": self.cloud.address("storage", "url"),
            "PUBSUB_EMULATOR_HOST": self.cloud.address("pubsub", "grpc"),
            **self.overrides,
        }

    def publish(self, data: bytes) -> str:
        """Publish one message as Scheduler or support would; its id."""
        path = f"projects/{PROJECT}/topics/{self.topic}"
        messages = [PubsubMessage(data=data, attributes={"source": "hand"})]
        return str(self.cloud.publisher.publish(topic=path, messages=messages).message_ids[0])

    def taken(self, topic: str) -> list[PubsubMessage]:
        """Take everything that is on a topic now, without waiting for more."""
        path, found = _subscription(topic), []
        request = {"subscription": path, "max_messages": 1000, "return_immediately": True}
        with warnings.catch_warnings():  # to wait for messages that never come would be better only where some may
            warnings.simplefilter("ignore", DeprecationWarning)
            while received := self.cloud.subscriber.pull(request=request).received_messages:
                self.cloud.subscriber.acknowledge(subscription=path, ack_ids=[item.ack_id for item in received])
                found += [item.message for item in received]
        return found

    def published(self) -> list[bytes]:
        """Take what was published to the function's own topic, by hand or by the function."""
        return [bytes(message.data) for message in self.taken(self.topic)]

    def rejected(self) -> list[bytes]:
        """Take everything that is on the rejected topic now."""
        return [bytes(message.data) for message in self.taken(self.rejected_topic)]

    def function(self, *, workers: int = 1, name: str = "function", **settings: str) -> Function:
        """The deployed code with this deployment's settings, not started yet."""
        return Function({**self.environment(), **settings}, self.cloud.root / "logs" / f"{name}.log", workers)

    def subscribe(self, function: Function, *, least: float = 0.2, most: float = 2.0, deadline: int = 600) -> None:
        """Push the topic's messages to the function, as the deployed subscription does; backoff in seconds."""
        self.cloud.subscriber.create_subscription(
            request={
                "name": _subscription(f"{self.topic}-function"),
                "topic": f"projects/{PROJECT}/topics/{self.topic}",
                "ack_deadline_seconds": deadline,
                "push_config": {"push_endpoint": function.url},
                "retry_policy": {
                    "minimum_backoff": duration_pb2.Duration(nanos=int(least * 1e9)),
                    "maximum_backoff": duration_pb2.Duration(seconds=int(most)),
                },
            }
        )

    def unsubscribe(self) -> None:
        """Push no more."""
        self.cloud.subscriber.delete_subscription(subscription=_subscription(f"{self.topic}-function"))

    @contextmanager
    def serving(self, function: Function | None = None) -> Iterator[Function]:
        """The function in a process of its own, fed by the topic; both end with the block."""
        served = (function or self.function(name=self.name or "function")).start()
        try:
            self.subscribe(served)
            yield served
        finally:
            self.unsubscribe()
            served.stop()

    def fill(self, window_start: datetime, rows: Mapping[str, int], *, seed: int = 0) -> None:
        """Load sample rows of one hour and declare it complete."""
        window = Window.hour(window_start)
        for name, count in rows.items():
            dataset = self.datasets[name]
            self.tables.load(dataset.table, sampledata.rows(dataset, window, count, seed=seed))
        self.tables.complete(rows, window.end)

    def records(self, slot: Slot) -> dict[str, Any]:
        """Every record of a slot by its name, such as `r1/plan`."""
        prefix = f"deliveries/{slot.folder}/"
        blobs = self.cloud.storage.list_blobs(self.records_bucket, prefix=prefix)
        contents = {blob.name: json.loads(blob.download_as_bytes()) for blob in blobs}
        return {name.removeprefix(prefix).removesuffix(".json"): kept["record"] for name, kept in contents.items()}

    def archived(self) -> list[str]:
        """Names of all archived objects."""
        return [blob.name for blob in self.cloud.storage.list_blobs(self.archive_bucket)]


@contextmanager
def local_deployment(
    root: Path,
    *,
    profile: ServerProfile = "aws",
    contracts_directory: Path | None = None,
    tables: bool = True,
    distance: Distance = NONE,
    pgp_algorithm: keys.PgpAlgorithm = "ed25519/cv25519",
) -> Iterator[LocalDeployment]:
    """A local cloud under `root` and one deployment in it, named as in production; both end with the block.

    Without `tables` the warehouse stays empty, for dbt to build in.
    """
    with local_cloud(root, profiles=[profile], distance=distance, pgp_algorithm=pgp_algorithm) as cloud:
        made = LocalDeployment(cloud, profile=profile, contracts_directory=contracts_directory or HERE / "contracts")
        made.create()
        if tables:
            made.tables.create(made.datasets.values())
        yield made


def _subscription(topic: str) -> str:
    """The path of the subscription of that name; every topic has one to pull from that is named as the topic is."""
    return f"projects/{PROJECT}/subscriptions/{topic}"
