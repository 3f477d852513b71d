"""Everything that an action needs of the outside, built from settings once and handed down."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from pipeline.budget import Budget
from pipeline.clients import storage
from pipeline.clients.bigquery import Source
from pipeline.clients.pubsub import Topics
from pipeline.clients.secretmanager import Credentials
from pipeline.clients.sftp import Server
from pipeline.clients.storage import Bucket
from pipeline.contracts import reader
from pipeline.contracts.dataset import Dataset
from pipeline.records.store import Records
from pipeline.settings import Settings
from pipeline.streams.progress import Observe, unobserved

VERSION: Final = "0.1.0"


class Deployment:
    """The clients and contracts of one process; made once, used by every invocation of a warm instance."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.datasets: Mapping[str, Dataset] = reader.load(settings.contracts_directory)
        self.source = Source(settings)
        self.credentials = Credentials(settings)
        self.topics = Topics(settings)

    @cached_property
    def storage(self) -> storage.Client:
        """The Cloud Storage client, made on first use."""
        return storage.client(self.settings)


@dataclass(frozen=True)
class Run:
    """One invocation's view: the clients, its time budget, a name of its own for what it writes, and who watches."""

    deployment: Deployment
    budget: Budget
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    observe: Observe = unobserved

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        return self.deployment.settings

    @property
    def source(self) -> Source:
        """The warehouse."""
        return self.deployment.source

    @property
    def topics(self) -> Topics:
        """Pub/Sub."""
        return self.deployment.topics

    @property
    def credentials(self) -> Credentials:
        """Secret Manager."""
        return self.deployment.credentials

    @cached_property
    def archive(self) -> Bucket:
        """The bucket of CSV and sealed files."""
        return Bucket(self.deployment.storage, self.settings.archive_bucket, self.budget)

    @cached_property
    def records(self) -> Records:
        """The records bucket."""
        return Records(Bucket(self.deployment.storage, self.settings.records_bucket, self.budget))

    def now(self) -> datetime:
        """This machine's time, for what records say of themselves; rows are judged by the warehouse's clock."""
        return datetime.now(UTC)

    def dataset(self, name: str) -> Dataset:
        """The contract of a dataset that is known to have one."""
        return self.deployment.datasets[name]

    def returns(self) -> Server | None:
        """The server that the partner returns files on; None where there is none. Raises CredentialsUnavailable."""
        settings = self.settings
        if not settings.returns_host:
            return None
        key = settings.returns_key_secret or settings.sftp_key_secret
        host_keys = settings.returns_host_keys_secret or settings.sftp_host_keys_secret
        return Server(
            host=settings.returns_host,
            port=settings.returns_port,
            user=settings.returns_user,
            directory=settings.returns_directory,
            key=self.credentials.read(key, self.budget).value,
            host_keys=self.credentials.read(host_keys, self.budget).value,
        )

    def partner(self) -> Server:
        """The partner's server with the keys of this moment. Raises CredentialsUnavailable."""
        settings = self.settings
        return Server(
            host=settings.sftp_host,
            port=settings.sftp_port,
            user=settings.sftp_user,
            directory=settings.sftp_directory,
            key=self.credentials.read(settings.sftp_key_secret, self.budget).value,
            host_keys=self.credentials.read(settings.sftp_host_keys_secret, self.budget).value,
        )
