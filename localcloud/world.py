"""A whole world for the function: a cloud on this machine, a partner, keys, secrets, buckets, topics and tables.

Everything listens on loopback and lives under one directory; nothing is left when it is closed. The function itself is
not part of it: `function` serves the deployed code against `environment()`.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
from google.cloud.secretmanager_v1.types import Secret, SecretPayload
from google.cloud.storage import Client as StorageClient
from google.protobuf import duration_pb2
from google.pubsub_v1 import PublisherClient, PubsubMessage, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from localcloud import keys
from localcloud.function import Function
from localcloud.processes import Service, start
from localcloud.tables import Tables
from pipeline.contracts import reader
from pipeline.contracts.dataset import Dataset
from pipeline.settings import HERE

PROJECT: Final = "local-psp"
DATASET: Final = "amazon_pspp"
TOPIC: Final = "amazon-pspp"
REJECTED: Final = "amazon-pspp-rejected"

Manners = Literal["aws", "openssh"]


@dataclass
class World:
    """What is running and how to reach it; made by `world`."""

    root: Path
    manners: Manners
    services: dict[str, Service] = field(default_factory=dict)
    contracts_directory: Path = HERE / "contracts"
    partner_key: keys.PgpKey = field(init=False)
    signing_key: keys.PgpKey = field(init=False)
    login_key: keys.SshKey = field(init=False)
    server_key: keys.SshKey = field(init=False)
    overrides: dict[str, str] = field(default_factory=dict)

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The contracts."""
        return reader.load(self.contracts_directory)

    @property
    def files(self) -> Path:
        """Where the partner's files lie."""
        return self.root / "partner"

    def received(self) -> list[Path]:
        """The partner's files, without temporary ones."""
        return sorted(path for path in self.files.iterdir() if path.is_file() and not path.name.startswith("."))

    def environment(self) -> dict[str, str]:
        """The function's settings for this world."""
        ready = {name: service.ready for name, service in self.services.items()}
        return {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "BIGQUERY_DATASET": DATASET,
            "ARCHIVE_BUCKET": "archive",
            "RECORDS_BUCKET": "records",
            "TOPIC": TOPIC,
            "REJECTED_TOPIC": REJECTED,
            "SFTP_HOST": ready["partner"]["host"],
            "SFTP_PORT": str(ready["partner"]["port"]),
            "SFTP_USER": ready["partner"]["user"],
            "SFTP_PUBLISH": "direct" if self.manners == "aws" else "rename",
            "CONTRACTS_DIRECTORY": str(self.contracts_directory),
            "BIGQUERY_EMULATOR_HOST": ready["bigquery"]["rest"],
            "BIGQUERY_STORAGE_EMULATOR_HOST": ready["bigquery"]["grpc"],
            "SECRET_MANAGER_EMULATOR_HOST": ready["secretmanager"]["grpc"],
            "STORAGE_EMULATOR_HOST": ready["storage"]["url"],
            "PUBSUB_EMULATOR_HOST": ready["pubsub"]["grpc"],
            **self.overrides,
        }

    @property
    def tables(self) -> Tables:
        """The warehouse."""
        return Tables(self.services["bigquery"].ready["rest"], PROJECT, DATASET)

    @property
    def storage(self) -> StorageClient:
        """A client of the buckets."""
        options = {"api_endpoint": self.services["storage"].ready["url"]}
        return StorageClient(PROJECT, credentials=AnonymousCredentials(), client_options=options)

    @property
    def secrets(self) -> secretmanager.SecretManagerServiceClient:
        """A client of the secrets."""
        channel = grpc.insecure_channel(self.services["secretmanager"].ready["grpc"])
        return secretmanager.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))

    @property
    def publisher(self) -> PublisherClient:
        """A client that publishes one message at a time."""
        channel = grpc.insecure_channel(self.services["pubsub"].ready["grpc"])
        return PublisherClient(transport=PublisherGrpcTransport(channel=channel))

    @property
    def subscriber(self) -> SubscriberClient:
        """A client that pulls."""
        channel = grpc.insecure_channel(self.services["pubsub"].ready["grpc"])
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))

    def publish(self, data: bytes, topic: str = TOPIC) -> str:
        """Publish one message as Scheduler or support would; its id."""
        messages = [PubsubMessage(data=data, attributes={"source": "hand"})]
        return str(self.publisher.publish(topic=f"projects/{PROJECT}/topics/{topic}", messages=messages).message_ids[0])

    def subscribe(self, function: Function, *, least: float = 0.2, most: float = 2.0, deadline: int = 600) -> None:
        """Push the topic's messages to the function, as Eventarc's subscription does; backoff in seconds."""
        self.subscriber.create_subscription(
            request={
                "name": f"projects/{PROJECT}/subscriptions/function",
                "topic": f"projects/{PROJECT}/topics/{TOPIC}",
                "ack_deadline_seconds": deadline,
                "push_config": {"push_endpoint": function.url},
                "retry_policy": {
                    "minimum_backoff": duration_pb2.Duration(nanos=int(least * 1e9)),
                    "maximum_backoff": duration_pb2.Duration(seconds=int(most)),
                },
            }
        )

    def rejected(self) -> list[bytes]:
        """Take everything that is on the rejected topic now."""
        name = f"projects/{PROJECT}/subscriptions/rejected"
        answer = self.subscriber.pull(request={"subscription": name, "max_messages": 1000, "return_immediately": True})
        if answer.received_messages:
            self.subscriber.acknowledge(subscription=name, ack_ids=[one.ack_id for one in answer.received_messages])
        return [bytes(one.message.data) for one in answer.received_messages]

    def add_secret(self, name: str, value: bytes) -> None:
        """Add a version, and the secret where it is not there yet."""
        parent = f"projects/{PROJECT}"
        if f"{parent}/secrets/{name}" not in {secret.name for secret in self.secrets.list_secrets(parent=parent)}:
            self.secrets.create_secret(parent=parent, secret_id=name, secret=Secret(replication={"automatic": {}}))
        self.secrets.add_secret_version(parent=f"{parent}/secrets/{name}", payload=SecretPayload(data=value))

    def function(self, *, workers: int = 1, name: str = "function", **settings: str) -> Function:
        """The deployed code against this world, not started yet."""
        return Function({**self.environment(), **settings}, self.root / "logs" / f"{name}.log", workers)

    def start_partner(self, *options: str, port: int = 0) -> None:
        """Start the partner's server, or start it anew with other options."""
        self.services["partner"] = start(
            "localcloud.partner",
            *["--manners", self.manners, "--root", str(self.files), "--port", str(port)],
            *["--host-key", str(self.root / "host_key"), "--authorized-keys", str(self.root / "authorized_keys")],
            *options,
            logs=self.root / "logs",
        )

    def stop(self) -> None:
        """End every service."""
        for service in self.services.values():
            service.stop()

    def fill(self, window_start: datetime, rows: Mapping[str, int], *, seed: int = 0) -> None:
        """Load sample rows of one hour and declare it complete."""
        from localcloud import sampledata
        from pipeline.window import Window

        window = Window.hour(window_start)
        for name, count in rows.items():
            dataset = self.datasets[name]
            self.tables.load(dataset.table, sampledata.rows(dataset, window, count, seed=seed))
        self.tables.complete(rows, window.end)


@contextmanager
def world(
    root: Path,
    *,
    manners: Manners = "aws",
    partner_options: Sequence[str] = (),
    store_options: Sequence[str] = (),
    contracts_directory: Path | None = None,
    pgp_algorithm: keys.PgpAlgorithm = "ed25519/cv25519",
    tables: bool = True,
) -> Iterator[World]:
    """Start everything under `root` and make keys, secrets, buckets, topics and tables; stop it at the end.

    Without `tables` the warehouse stays empty, for dbt to build in.
    """
    made = World(root, manners)
    if contracts_directory is not None:
        made.contracts_directory = contracts_directory
    (root / "logs").mkdir(parents=True, exist_ok=True)
    made.files.mkdir(exist_ok=True)
    with ExitStack() as ending:
        ending.callback(made.stop)
        logs = root / "logs"
        made.services["bigquery"] = start("localcloud.bigquery", logs=logs)
        made.services["storage"] = start(
            "localcloud.storage", "--root", str(root / "buckets"), *store_options, logs=logs
        )
        made.services["secretmanager"] = start("localcloud.secretmanager", logs=logs)
        made.services["pubsub"] = start("localcloud.pubsub", logs=logs)
        _make_keys(made, pgp_algorithm)
        made.start_partner(*partner_options)
        _make_cloud(made)
        if tables:
            made.tables.create(made.datasets.values())
        yield made


def _make_keys(made: World, algorithm: keys.PgpAlgorithm) -> None:
    with keys.gnupg_home() as home:
        made.partner_key = keys.pgp_key(home, "Partner <partner@example.com>", algorithm=algorithm)
        made.signing_key = keys.pgp_key(
            home, "PSP <psp@example.com>", algorithm=algorithm, encryption=False, passphrase="correct horse"
        )
    made.login_key, made.server_key = keys.ssh_key(), keys.ssh_key()
    host_key = made.root / "host_key"
    host_key.write_bytes(made.server_key.private)
    host_key.chmod(stat.S_IRUSR | stat.S_IWUSR)
    (made.root / "authorized_keys").write_bytes(made.login_key.public + b"\n")


def _make_cloud(made: World) -> None:
    made.add_secret("pgp-partner-key", made.partner_key.public)
    made.add_secret("pgp-signing-key", made.signing_key.private)
    made.add_secret("pgp-signing-passphrase", (made.signing_key.passphrase or "").encode())
    made.add_secret("sftp-key", made.login_key.private)
    made.add_secret("sftp-host-keys", made.server_key.public)
    for bucket in ("archive", "records"):
        made.storage.create_bucket(bucket)
    for topic in (TOPIC, REJECTED):
        made.publisher.create_topic(name=f"projects/{PROJECT}/topics/{topic}")
    made.subscriber.create_subscription(
        name=f"projects/{PROJECT}/subscriptions/rejected", topic=f"projects/{PROJECT}/topics/{REJECTED}"
    )


def sshd_is_there() -> bool:
    """Whether the second opinion, OpenSSH's server, is installed."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None
