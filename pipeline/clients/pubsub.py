"""Pub/Sub: the only importer of its client. Publishing counts only when the server has confirmed it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import cached_property
from typing import TYPE_CHECKING, Final

import grpc
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from pipeline.budget import Budget
from pipeline.clients.deadline import asking, unanswered
from pipeline.errors import TopicUnavailable
from pipeline.settings import Settings

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import PublisherClient

SERVICE: Final = "Pub/Sub"
PUBLISH: Final = "pubsub.topics.publish"


class Connections:
    """The client of one process, made on first use and kept. PUBSUB_EMULATOR_HOST is understood by the library."""

    @cached_property
    def publisher(self) -> PublisherClient:
        """Pub/Sub's client; each call is given its own time."""
        from google.cloud.pubsub_v1 import PublisherClient  # most messages publish nothing, and it takes its time
        from google.cloud.pubsub_v1.types import BatchSettings

        return PublisherClient(BatchSettings(max_messages=500))


class Topics:
    """Publishes to the topics of one project, within the budget of one run."""

    def __init__(self, connections: Connections, settings: Settings, budget: Budget) -> None:
        self._project = settings.google_cloud_project
        self._connections = connections
        self._budget = budget

    def publish(self, topic: str, messages: Iterable[bytes], attributes: Mapping[str, str] | None = None) -> int:
        """Publish the messages in order and wait for each confirmation; the number published.

        Raises TopicUnavailable where any was not confirmed (those before it may have been; a repeated message does
        nothing twice), OutOfTime.
        """
        path = self.path(topic)
        try:
            confirmations: list[Future[str]] = []
            for message in messages:
                confirmations.append(
                    self._connections.publisher.publish(
                        path, message, **asking(SERVICE, self._budget), **(attributes or {})
                    )
                )
            for confirmation in confirmations:
                confirmation.result(timeout=self._budget.waiting())
        except (api.NotFound, api.PermissionDenied) as error:
            raise TopicUnavailable(
                f"Pub/Sub refuses to publish to {path} ({type(error).__name__}); the topic must exist and the "
                "function's account must be a publisher of it."
            ) from None
        except (api.GoogleAPICallError, api.RetryError, auth.GoogleAuthError, grpc.RpcError, FutureTimeout) as error:
            raise unanswered(TopicUnavailable, SERVICE, path, error, self._budget) from None
        return len(confirmations)

    def may_publish(self, topic: str) -> bool | None:
        """Whether this account may publish there, asked without publishing; None where the server does not tell.

        Raises TopicUnavailable where there is no such topic, or no answer.
        """
        path = self.path(topic)
        question = {"resource": path, "permissions": [PUBLISH]}
        try:
            answer = self._connections.publisher.test_iam_permissions(request=question, **asking(SERVICE, self._budget))
        except api.MethodNotImplemented:
            return None
        except api.NotFound:
            raise TopicUnavailable(f"There is no topic {path}; terraform apply makes it.") from None
        except (api.GoogleAPICallError, api.RetryError, auth.GoogleAuthError, grpc.RpcError) as error:
            raise unanswered(TopicUnavailable, SERVICE, path, error, self._budget) from None
        return PUBLISH in answer.permissions

    def path(self, topic: str) -> str:
        """The full name of a topic, of this project unless it names another."""
        return topic if topic.startswith("projects/") else f"projects/{self._project}/topics/{topic}"
