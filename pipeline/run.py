"""What an action needs of the outside: `Deployment` lives as long as the process, `Run` is one invocation's view.

Clients are imported where they are first used: a typed `status` needs the records alone, and those of the warehouse and
of gRPC take longer to import than it takes to answer. The function has them all from its start, through `dispatch`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline import log
from pipeline.budget import Budget
from pipeline.clients import storage
from pipeline.clients.ssh import Server
from pipeline.clients.storage import Bucket
from pipeline.contracts import reader
from pipeline.contracts.dataset import Dataset
from pipeline.contracts.promise import Promise
from pipeline.errors import RecordDamaged
from pipeline.log import Figures, Stage
from pipeline.records.contracts import Contracts, Known
from pipeline.records.schema import Alarm
from pipeline.records.store import Records
from pipeline.settings import Settings
from pipeline.streams.progress import Observe, unobserved
from pipeline.window import Delivery

if TYPE_CHECKING:
    from pipeline.clients import bigquery, pubsub, secretmanager


class Deployment:
    """The settings, contracts and connections of one process; made once, used by every run of a warm instance.

    Raises ContractInvalid.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.datasets: Mapping[str, Dataset] = reader.load(settings.contracts_directory)
        self.contracts = Known(self.datasets)
        self.tried_keys: set[tuple[str, ...]] = set()
        """PGP keys that did their work in this process, see pgp.keyring."""

    @property
    def promises(self) -> Mapping[str, Promise]:
        """What the contracts promise of punctuality, by dataset."""
        return {name: dataset.promise for name, dataset in self.datasets.items() if dataset.promise is not None}

    @cached_property
    def bigquery(self) -> bigquery.Connections:
        """BigQuery's connections, made on first use."""
        from pipeline.clients import bigquery

        return bigquery.Connections(self.settings)

    @cached_property
    def secretmanager(self) -> secretmanager.Connections:
        """Secret Manager's connections, made on first use."""
        from pipeline.clients import secretmanager

        return secretmanager.Connections(self.settings)

    @cached_property
    def pubsub(self) -> pubsub.Connections:
        """Pub/Sub's connections, made on first use."""
        from pipeline.clients import pubsub

        return pubsub.Connections()

    @cached_property
    def storage(self) -> storage.Connections:
        """Cloud Storage's connections, made on first use."""
        return storage.Connections(self.settings)


@dataclass(frozen=True)
class Run:
    """One invocation: its time budget, the clients bound to it, a name for what it writes, and who watches.

    `typed` says that a person typed a command: its events are not in the function's log.
    """

    deployment: Deployment
    budget: Budget
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    observe: Observe = unobserved
    typed: bool = False

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        return self.deployment.settings

    @cached_property
    def source(self) -> bigquery.Source:
        """The warehouse."""
        from pipeline.clients.bigquery import Source

        return Source(self.deployment.bigquery, self.settings, self.budget)

    @cached_property
    def topics(self) -> pubsub.Topics:
        """Pub/Sub."""
        from pipeline.clients.pubsub import Topics

        return Topics(self.deployment.pubsub, self.settings, self.budget)

    @cached_property
    def credentials(self) -> secretmanager.Credentials:
        """Secret Manager."""
        from pipeline.clients.secretmanager import Credentials

        return Credentials(self.deployment.secretmanager, self.settings, self.budget)

    @cached_property
    def archive(self) -> Bucket:
        """The bucket of CSV and sealed files."""
        return self.bucket(self.settings.archive_bucket)

    @cached_property
    def records(self) -> Records:
        """The records bucket."""
        return Records(self.bucket(self.settings.records_bucket))

    @cached_property
    def contracts(self) -> Contracts:
        """The contracts that are deployed, and those that earlier deliveries belong to."""
        return Contracts(self.deployment.contracts, self.records)

    def bucket(self, name: str) -> Bucket:
        """A bucket by its name."""
        return Bucket(self._storage, name, self.budget)

    def now(self) -> datetime:
        """This machine's time, for what records say of themselves; rows are judged by the warehouse's clock."""
        return datetime.now(UTC)

    def dataset(self, name: str) -> Dataset:
        """The contract of a dataset that is known to have one."""
        return self.deployment.datasets[name]

    def first_hour(self, name: str) -> datetime | None:
        """From which hour on a dataset is shared: FIRST_HOUR, else that of its contract, else the first planned one.

        None where there is none of them. Raises ArchiveUnavailable.
        """
        return self.settings.first_hour or self.dataset(name).starts or self.records.first_planned(name)

    @contextmanager
    def stage(self, name: Stage, delivery: Delivery | None = None, **fields: log.Value) -> Iterator[Figures]:
        """Name the stage (and the delivery) in events and errors alike; see log.stage."""
        with log.stage(name, delivery, attempt=self.attempt, **fields) as figures:
            yield figures

    def alarm(self, event: str, message: str | None, **fields: log.Value) -> None:
        """Emit the event of a finding, before the finding is recorded: twice is better than never.

        A typed command writes its events to a terminal or to nothing, and what it records the function does not find
        again. So an event that alerts rest on is recorded then, for the function to emit. Raises ArchiveUnavailable.
        """
        log.emit(event, message, **fields)
        if self.typed and event in log.ALERTS:
            self.records.add_alarm(Alarm(event=event, message=message, fields={**log.labels(), **fields}))

    def emit_recorded_alarms(self) -> None:
        """Emit every alarm that a typed command recorded, once; one that cannot be read is an alarm too.

        Raises ArchiveUnavailable.
        """
        if self.typed:
            return
        for name in self.records.waiting_alarms():
            try:
                recorded = self.records.alarm(name)
                if recorded is None:
                    continue
                if recorded.event in log.EVENTS:
                    log.emit(recorded.event, recorded.message, **recorded.fields)
            except RecordDamaged as error:
                log.emit("archive.damaged", error.message, code=error.code)
            self.records.alarm_emitted(name)

    def returns(self) -> Server | None:
        """The server that the partner returns files on; None where there is none. Raises CredentialsUnavailable."""
        settings = self.settings
        if not settings.returns_host:
            return None
        key, host_keys = self.credentials.read_all(
            settings.returns_key_secret or settings.sftp_key_secret,
            settings.returns_host_keys_secret or settings.sftp_host_keys_secret,
        )
        return Server(
            host=settings.returns_host,
            port=settings.returns_port,
            user=settings.returns_user,
            directory=settings.returns_directory,
            key=key.value,
            host_keys=host_keys.value,
            budget=self.budget,
        )

    def partner(self) -> Server:
        """The partner's server with the keys of this moment. Raises CredentialsUnavailable."""
        settings = self.settings
        key, host_keys = self.credentials.read_all(settings.sftp_key_secret, settings.sftp_host_keys_secret)
        return Server(
            host=settings.sftp_host,
            port=settings.sftp_port,
            user=settings.sftp_user,
            directory=settings.sftp_directory,
            key=key.value,
            host_keys=host_keys.value,
            budget=self.budget,
        )

    @cached_property
    def _storage(self) -> storage.Client:
        return self.deployment.storage.within(self.budget)
