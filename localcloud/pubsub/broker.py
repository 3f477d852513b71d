"""Topics and subscriptions: what was published goes to every subscription's backlog."""

import itertools
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
from google.pubsub_v1 import types

from localcloud.pubsub.backlog import Backlog, Policy
from localcloud.pubsub.filters import Filter, parse
from localcloud.pubsub.message import Message
from localcloud.pubsub.push import FIRST_BACKOFF, LONGEST_BACKOFF, Pusher, Target
from localcloud.pubsub.rpc import Refused, not_found

DELETED_TOPIC = "_deleted-topic_"


@dataclass(slots=True)
class Subscription:
    """A subscription as it was asked for, and what works for it."""

    resource: types.Subscription
    wants: Filter
    backlog: Backlog
    pusher: Pusher | None = None


class Broker:
    """All state of the service, under one lock."""

    def __init__(self, push_concurrency: int) -> None:
        self.lock = threading.RLock()
        self._push_concurrency = push_concurrency
        self._topics: dict[str, types.Topic] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._ids = itertools.count(time.time_ns() // 1000)

    def add_topic(self, topic: types.Topic) -> None:
        with self.lock:
            if topic.name in self._topics:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists ({topic.name}).")
            self._topics[topic.name] = topic

    def topic(self, name: str) -> types.Topic:
        try:
            return self._topics[name]
        except KeyError:
            raise not_found(name) from None

    def topics(self) -> Sequence[types.Topic]:
        with self.lock:
            return list(self._topics.values())

    def delete_topic(self, name: str) -> None:
        """Its subscriptions stay, without a topic."""
        with self.lock:
            del self._topics[self.topic(name).name]
            for one in self._subscriptions.values():
                if one.resource.topic == name:
                    one.resource.topic = DELETED_TOPIC

    def publish(self, topic: str, messages: Iterable[types.PubsubMessage]) -> list[str]:
        """The ids given to the messages, in their order."""
        with self.lock:
            self.topic(topic)
            moment = datetime.now(UTC)
            stamped = [
                Message(str(next(self._ids)), one.data, dict(one.attributes), one.ordering_key, moment)
                for one in messages
            ]
            self._spread(topic, stamped)
            return [one.id for one in stamped]

    def add_subscription(self, resource: types.Subscription) -> None:
        with self.lock:
            if resource.name in self._subscriptions:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists ({resource.name}).")
            self.topic(resource.topic)
            backlog = Backlog(self.lock, Policy(), ordered=resource.enable_message_ordering)
            added = Subscription(resource, parse(resource.filter), backlog)
            self._apply(added)
            self._subscriptions[resource.name] = added

    def subscription(self, name: str) -> Subscription:
        try:
            return self._subscriptions[name]
        except KeyError:
            raise not_found(name) from None

    def subscriptions(self) -> Sequence[types.Subscription]:
        with self.lock:
            return [one.resource for one in self._subscriptions.values()]

    def change_subscription(self, resource: types.Subscription) -> None:
        """Takes the new settings; a push subscription begins to push as they say."""
        with self.lock:
            changed = self.subscription(resource.name)
            changed.resource = resource
            self._apply(changed)

    def delete_subscription(self, name: str) -> None:
        with self.lock:
            gone = self.subscription(name)
            if gone.pusher is not None:
                gone.pusher.close()
            del self._subscriptions[name]

    def _spread(self, topic: str, messages: Sequence[Message]) -> None:
        for one in self._subscriptions.values():
            if one.resource.topic == topic:
                one.backlog.add(message for message in messages if one.wants(message.attributes))

    def _apply(self, subscription: Subscription) -> None:
        resource = subscription.resource
        endpoint = resource.push_config.push_endpoint
        buries = "dead_letter_policy" in resource
        target = Target(resource.name, resource.topic, endpoint, float(resource.ack_deadline_seconds), buries)
        subscription.backlog.policy = self._policy(resource)
        if subscription.pusher is not None:
            if subscription.pusher.target == target:
                return
            subscription.pusher.close()
        subscription.pusher = Pusher(target, subscription.backlog, self._push_concurrency) if endpoint else None

    def _policy(self, resource: types.Subscription) -> Policy:
        pushes = bool(resource.push_config.push_endpoint)
        minimum, maximum = (FIRST_BACKOFF, LONGEST_BACKOFF) if pushes else (0.0, 0.0)
        if "retry_policy" in resource:
            # A push is never sent again at once, whatever the policy says: the push backoff lies below it.
            retry = types.RetryPolicy.pb(resource.retry_policy)
            minimum = max(retry.minimum_backoff.ToTimedelta().total_seconds(), minimum)
            maximum = max(retry.maximum_backoff.ToTimedelta().total_seconds(), minimum)
        if "dead_letter_policy" not in resource:
            return Policy(minimum, maximum)
        letters = resource.dead_letter_policy

        def bury(message: Message, attempts: int) -> bool:
            return self._bury(message, attempts, resource.name, letters.dead_letter_topic)

        return Policy(minimum, maximum, letters.max_delivery_attempts, bury)

    def _bury(self, message: Message, attempts: int, subscription: str, topic: str) -> bool:
        """Forwards to the dead letter topic, as the documentation of dead letter topics says; False if that is gone."""
        if topic not in self._topics:
            return False
        _, project, _, name = subscription.split("/")
        said = {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(attempts),
            "CloudPubSubDeadLetterSourceSubscription": name,
            "CloudPubSubDeadLetterSourceSubscriptionProject": project,
            "CloudPubSubDeadLetterSourceTopicPublishTime": message.published_text,
        }
        attributes = {**message.attributes, **said}
        moment = datetime.now(UTC)
        self._spread(topic, [Message(str(next(self._ids)), message.data, attributes, message.ordering_key, moment)])
        return True
