"""A running local cloud: BigQuery, Cloud Storage, Secret Manager, Pub/Sub and the partner's server, with fresh keys.

Everything listens on loopback and keeps its files under one directory; nothing runs on when it is closed. What the
function needs in a cloud (a dataset, buckets, topics, a directory at the partner) is a deployment, see `deployment`;
many of them share one cloud.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import grpc
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
from google.cloud.secretmanager_v1.types import Secret, SecretPayload
from google.cloud.storage import Client as StorageClient
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from localcloud import keys
from localcloud.distance import NONE, Distance
from localcloud.partner import faults, journal
from localcloud.processes import Service, start

PROJECT: Final = "local-psp"
SERVICES: Final = ("bigquery", "storage", "secretmanager", "pubsub")
"""Google's; beside them runs a server of the partner for each profile."""

ServerProfile = Literal["aws", "openssh"]
"""How the partner's server behaves: as AWS Transfer Family in front of S3, or as OpenSSH's sshd."""


@dataclass
class LocalCloud:
    """The running services by name (bigquery, storage, secretmanager, pubsub, aws, openssh) and the keys of both sides.

    Made by `local_cloud`.
    """

    root: Path
    distance: Distance = NONE
    services: dict[str, Service] = field(default_factory=dict)
    partner_key: keys.PgpKey = field(init=False)
    signing_key: keys.PgpKey = field(init=False)
    login_key: keys.SshKey = field(init=False)
    server_key: keys.SshKey = field(init=False)

    def address(self, service: str, kind: str) -> str:
        """Where a service answers; `kind` is rest, grpc or url, as the service names its ports."""
        return str(self.services[service].ready[kind])

    @cached_property
    def storage(self) -> StorageClient:
        """A client of the buckets."""
        options = {"api_endpoint": self.address("storage", "url")}
        return StorageClient(PROJECT, credentials=AnonymousCredentials(), client_options=options)

    @cached_property
    def secrets(self) -> secretmanager.SecretManagerServiceClient:
        """A client of the secrets."""
        channel = grpc.insecure_channel(self.address("secretmanager", "grpc"))
        return secretmanager.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))

    @cached_property
    def publisher(self) -> PublisherClient:
        """A client that publishes one message at a time."""
        channel = grpc.insecure_channel(self.address("pubsub", "grpc"))
        return PublisherClient(transport=PublisherGrpcTransport(channel=channel))

    @cached_property
    def subscriber(self) -> SubscriberClient:
        """A client that pulls."""
        channel = grpc.insecure_channel(self.address("pubsub", "grpc"))
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))

    def add_secret(self, name: str, value: bytes) -> None:
        """Add a version, and the secret where it is not there yet."""
        parent = f"projects/{PROJECT}"
        if f"{parent}/secrets/{name}" not in {secret.name for secret in self.secrets.list_secrets(parent=parent)}:
            self.secrets.create_secret(parent=parent, secret_id=name, secret=Secret(replication={"automatic": {}}))
        self.secrets.add_secret_version(parent=f"{parent}/secrets/{name}", payload=SecretPayload(data=value))

    def partner_root(self, profile: ServerProfile) -> Path:
        """Where the files of the partner's server lie."""
        return self.root / profile

    @property
    def incoming(self) -> Path:
        """Where the AWS server keeps what is not stored yet."""
        return self.root / "aws.incoming"

    def start_service(self, name: str) -> None:
        """Start one of SERVICES."""
        own = {
            "bigquery": ("--storage", str(self.root / "storage-address")),
            "storage": ("--root", str(self.root / "buckets")),
            "pubsub": ("--faults-file", str(self._topic_faults)),
        }.get(name, ())
        options = (*own, *self.distance.options(name))
        self.services[name] = start(f"localcloud.{name}", *options, logs=self.root / "logs")
        if name == "storage":
            (self.root / "storage-address").write_text(self.address("storage", "url"))

    def start_partner(self, profile: ServerProfile = "aws", *options: str, port: int = 0) -> None:
        """Start the partner's server, or start it anew with other options."""
        if profile in self.services:
            self.services[profile].stop()
        if profile == "aws":
            options = ("--faults-file", str(self._partner_faults), *options)
        self.services[profile] = start(
            "localcloud.partner",
            *["--profile", profile, "--root", str(self.partner_root(profile)), "--port", str(port)],
            *["--host-key", str(self.root / "host_key"), "--authorized-keys", str(self.root / "authorized_keys")],
            *["--log", str(self.root / f"{profile}.journal"), *self.distance.options("partner"), *options],
            logs=self.root / "logs",
        )

    def store_late_parts(self) -> None:
        """Let the AWS server store what dropped sessions left open, as if 300 to 1,800 seconds had passed."""
        self.services["aws"].process.send_signal(signal.SIGUSR1)

    def journal(self) -> list[journal.Entry]:
        """Everything that clients asked of the AWS server."""
        return journal.entries(self.root / "aws.journal")

    def break_storage(self, match: str, action: str, **more: int) -> None:
        """See localcloud/storage/faults.py."""
        self._break("storage", {"match": match, "action": action, **more})

    def age(self, match: str, seconds: float) -> None:
        """Have storage say of every object whose `bucket/name` matches that it was created so much earlier."""
        order = {"match": match, "seconds": seconds}
        requests.post(f"{self.address('storage', 'url')}/_age", json=order, timeout=5).raise_for_status()

    def storage_struck(self) -> bool:
        """Whether every fault ordered from the storage has struck once at least."""
        report = requests.get(self._faults_of("storage"), timeout=5).json()
        return bool(report) and all(fault["struck"] for fault in report)

    def break_warehouse(self, match: str, action: str, **more: int | str) -> None:
        """See localcloud/bigquery/faults.py."""
        self._break("bigquery", {"match": match, "action": action, **more})

    def break_partner(self, *orders: faults.Fault) -> None:
        """See localcloud/partner/faults.py."""
        faults.order(self._partner_faults, *orders)

    def break_topics(self, *orders: dict[str, Any]) -> None:
        """See localcloud/pubsub/faults.py."""
        draft = self.root / "pubsub.draft"
        draft.write_text(json.dumps(orders))
        draft.replace(self._topic_faults)

    def end_faults(self) -> None:
        """Take every order back; what hangs at the storage is let go."""
        for service in ("storage", "bigquery"):
            requests.delete(self._faults_of(service), timeout=5).raise_for_status()
        self._partner_faults.unlink(missing_ok=True)
        self._topic_faults.unlink(missing_ok=True)

    def stop(self) -> None:
        """Close the clients, then end every service."""
        for client in ("secrets", "publisher", "subscriber"):
            if client in self.__dict__:
                self.__dict__[client].transport.close()
        for service in self.services.values():  # all at once, then each is waited for
            service.process.terminate()
        for service in self.services.values():
            service.stop()

    @property
    def _partner_faults(self) -> Path:
        return self.root / "aws.faults.json"

    @property
    def _topic_faults(self) -> Path:
        return self.root / "pubsub.faults.json"

    def _faults_of(self, service: str) -> str:
        return f"{self.address(service, {'storage': 'url', 'bigquery': 'rest'}[service])}/_faults"

    def _break(self, service: str, order: dict[str, Any]) -> None:
        requests.post(self._faults_of(service), json=order, timeout=5).raise_for_status()


@contextmanager
def local_cloud(
    root: Path,
    *,
    profiles: Sequence[ServerProfile] = ("aws",),
    distance: Distance = NONE,
    pgp_algorithm: keys.PgpAlgorithm = "ed25519/cv25519",
) -> Iterator[LocalCloud]:
    """Start all services under `root`, as far away as `distance` says, with a server of the partner for each profile.

    They end with the block.
    """
    cloud = LocalCloud(root, distance)
    (root / "logs").mkdir(parents=True, exist_ok=True)
    cloud.login_key, cloud.server_key = keys.ssh_key(), keys.ssh_key()
    host_key = root / "host_key"
    host_key.write_bytes(cloud.server_key.private)
    host_key.chmod(stat.S_IRUSR | stat.S_IWUSR)
    (root / "authorized_keys").write_bytes(cloud.login_key.public + b"\n")
    with ExitStack() as ending:
        ending.callback(cloud.stop)
        with ThreadPoolExecutor() as starting:  # each service takes a second or two
            services = [starting.submit(cloud.start_service, name) for name in SERVICES]
            services += [starting.submit(cloud.start_partner, profile) for profile in profiles]
            _make_pgp_keys(cloud, pgp_algorithm)
        for service in services:
            service.result()
        _add_secrets(cloud)
        yield cloud


def _make_pgp_keys(cloud: LocalCloud, algorithm: keys.PgpAlgorithm) -> None:
    with keys.gnupg_home() as home:
        cloud.partner_key = keys.pgp_key(home, "Partner <partner@example.com>", algorithm=algorithm)
        cloud.signing_key = keys.pgp_key(
            home, "PSP <psp@example.com>", algorithm=algorithm, encryption=False, passphrase="correct horse"
        )


def _add_secrets(cloud: LocalCloud) -> None:
    cloud.add_secret("pgp-partner-key", cloud.partner_key.public)
    cloud.add_secret("pgp-signing-key", cloud.signing_key.private)
    cloud.add_secret("pgp-signing-passphrase", (cloud.signing_key.passphrase or "").encode())
    cloud.add_secret("sftp-key", cloud.login_key.private)
    cloud.add_secret("sftp-host-keys", cloud.server_key.public)


def sshd_installed() -> bool:
    """Whether OpenSSH's server is installed, a second opinion on the client."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None
