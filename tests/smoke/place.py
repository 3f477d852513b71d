"""Where the calls go: the clients of one cloud, and the names of what the smoke test makes there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import grpc
from google.api_core import exceptions as api
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, secretmanager, storage
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from google.pubsub_v1 import PublisherClient, SubscriberClient

from localcloud.cloud import PROJECT, LocalCloud

UNLIKE: Final = re.compile(
    r"\d{10,}| at \[\d+:\d+\]|[0-9a-f]{8}-[0-9a-f-]{27}|Job ID: \S+|Location: \S+|(GET|POST) \S+: "
)
"""Numbers of moments, places in a text, ids and addresses, which are other ones in every run."""


@dataclass
class Place:
    """One cloud. Everything that is made is called `name`, or begins with it, so that it can be taken away again."""

    project: str
    name: str
    location: str
    local: LocalCloud | None = None

    @property
    def dataset(self) -> str:
        return f"{self.project}.{self.name}"

    @property
    def bucket(self) -> str:
        return f"{self.project}-{self.name}".replace("_", "-").lower()[:63]

    @property
    def topic(self) -> str:
        return f"projects/{self.project}/topics/{self.name}"

    @property
    def subscription(self) -> str:
        return f"projects/{self.project}/subscriptions/{self.name}"

    @property
    def push_endpoint(self) -> str:
        """Where nothing is pushed, as nothing is published; the real service takes https alone, the local one http."""
        return "https://push.example.com/" if self.local is None else "http://127.0.0.1:9/"

    @property
    def secret(self) -> str:
        return f"projects/{self.project}/secrets/{self.name}"

    @cached_property
    def bigquery(self) -> bigquery.Client:
        if self.local is None:
            return bigquery.Client(self.project, location=self.location)
        options = {"api_endpoint": self.local.address("bigquery", "rest")}
        return bigquery.Client(self.project, credentials=AnonymousCredentials(), client_options=options)

    @cached_property
    def reader(self) -> BigQueryReadClient:
        if self.local is None:
            return BigQueryReadClient()
        channel = grpc.insecure_channel(self.local.address("bigquery", "grpc"))
        return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))

    @cached_property
    def storage(self) -> storage.Client:
        return storage.Client(self.project) if self.local is None else self.local.storage

    @cached_property
    def secrets(self) -> secretmanager.SecretManagerServiceClient:
        return secretmanager.SecretManagerServiceClient() if self.local is None else self.local.secrets

    @cached_property
    def publisher(self) -> PublisherClient:
        return PublisherClient() if self.local is None else self.local.publisher

    @cached_property
    def subscriber(self) -> SubscriberClient:
        return SubscriberClient() if self.local is None else self.local.subscriber

    def sql(self, text: str, *parameters: Any, **config: Any) -> Any:
        """A query job that has ended; its error is raised."""
        job = self.bigquery.query(
            text, job_config=bigquery.QueryJobConfig(query_parameters=list(parameters), **config), job_retry=None
        )
        job.result(job_retry=None)
        return job

    def plain(self, text: str) -> str:
        """An answer's text without what is this run's own."""
        for own, said in ((self.name, "NAME"), (self.bucket, "BUCKET"), (self.project, "PROJECT")):
            text = text.replace(own, said)
        return " ".join(UNLIKE.sub("", text).split())

    def said(self, error: Exception) -> str:
        """An error as the client raises it: its class, reason and first sentence."""
        reasons = [one.get("reason", "") for one in getattr(error, "errors", None) or [] if isinstance(one, dict)]
        message = error.message if isinstance(error, api.GoogleAPICallError) else str(error)
        text = self.plain((message or "").split("; reason:")[0])
        return f"{type(error).__name__} {' '.join(reasons)}: {text}"[:300]

    def clear(self) -> list[str]:
        """Take away everything that was made, as far as it is there; what could not be taken away is returned."""
        removals: dict[str, Callable[[], object]] = {
            self.dataset: lambda: self.bigquery.delete_dataset(self.dataset, delete_contents=True),
            f"gs://{self.bucket}": self._delete_bucket,
            f"{self.subscription}-push": lambda: self._unsubscribe(f"{self.subscription}-push"),
            self.subscription: lambda: self._unsubscribe(self.subscription),
            self.topic: lambda: self.publisher.delete_topic(topic=self.topic),
            self.secret: lambda: self.secrets.delete_secret(name=self.secret),
        }
        left = []
        for what, remove in removals.items():
            try:
                remove()
            except api.NotFound:
                continue
            except Exception as error:  # noqa: BLE001 - the rest must be taken away too, and this be named
                left.append(f"{what}: {self.said(error)}")
        return left

    def _unsubscribe(self, name: str) -> None:
        self.subscriber.delete_subscription(subscription=name)

    def _delete_bucket(self) -> None:
        bucket = self.storage.get_bucket(self.bucket)
        for blob in bucket.list_blobs(versions=True):
            blob.delete()
        bucket.delete()


@contextmanager
def places(local: LocalCloud, project: str, name: str, location: str) -> Iterator[tuple[Place, Place]]:
    """The real place and the local one; both are empty again afterwards."""
    real, own = Place(project, name, location), Place(PROJECT, name, location, local)
    try:
        yield real, own
    finally:
        for place in (own, real):
            for left in place.clear():
                print(f"left behind: {left}")
