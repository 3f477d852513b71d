"""google.pubsub.v1.Subscriber"""

import threading
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import grpc
from google.pubsub_v1 import types

from localcloud.pubsub.backlog import Backlog, Lease
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.rpc import Method, allow_only, invalid, not_here

FIELDS = frozenset(
    {"name", "topic", "push_config", "ack_deadline_seconds", "message_retention_duration", "labels", "filter", "state"}
    | {"enable_message_ordering", "expiration_policy", "dead_letter_policy", "retry_policy"}
)
PUSH_FIELDS = frozenset({"push_endpoint", "attributes", "oidc_token"})
CHANGEABLE = FIELDS - {"name", "topic", "filter", "enable_message_ordering", "state"}
DEFAULT_DEADLINE, LONGEST_DEADLINE = 10, 600
"""Seconds (reference of Subscription.ack_deadline_seconds)."""
LEAST_ATTEMPTS, MOST_ATTEMPTS = 5, 100
"""Of a dead letter policy (reference of DeadLetterPolicy.max_delivery_attempts)."""
RETENTION = timedelta(days=7)
LEAST_BACKOFF, MOST_BACKOFF = timedelta(seconds=10), timedelta(seconds=600)
"""What a retry policy means that leaves them out (reference of RetryPolicy)."""
PULL_WAIT = 10.0
"""Seconds that a pull waits for a first message; the real service promises only that it is bounded."""
MOST_AT_ONCE = 100


class Subscriber:
    def __init__(self, broker: Broker, shortest_deadline: int) -> None:
        self._broker = broker
        self._shortest_deadline = shortest_deadline

    def create_subscription(self, request: types.Subscription, _: grpc.ServicerContext) -> types.Subscription:
        self._complete(request)
        self._broker.add_subscription(request)
        return request

    def get_subscription(self, request: types.GetSubscriptionRequest, _: grpc.ServicerContext) -> types.Subscription:
        return self._broker.subscription(request.subscription).resource

    def list_subscriptions(
        self, request: types.ListSubscriptionsRequest, _: grpc.ServicerContext
    ) -> types.ListSubscriptionsResponse:
        """All of a project's, on one page."""
        prefix = f"{request.project}/subscriptions/"
        found = [one for one in self._broker.subscriptions() if one.name.startswith(prefix)]
        return types.ListSubscriptionsResponse(subscriptions=found)

    def update_subscription(
        self, request: types.UpdateSubscriptionRequest, _: grpc.ServicerContext
    ) -> types.Subscription:
        paths = list(request.update_mask.paths)
        if not paths or not CHANGEABLE.issuperset(paths):
            raise not_here(f"an update of {paths}")
        changed = types.Subscription(self._broker.subscription(request.subscription.name).resource)
        for path in paths:
            setattr(changed, path, getattr(request.subscription, path) if path in request.subscription else None)
        self._complete(changed)
        self._broker.change_subscription(changed)
        return changed

    def modify_push_config(self, request: types.ModifyPushConfigRequest, _: grpc.ServicerContext) -> None:
        changed = types.Subscription(self._broker.subscription(request.subscription).resource)
        changed.push_config = request.push_config
        self._complete(changed)
        self._broker.change_subscription(changed)

    def delete_subscription(self, request: types.DeleteSubscriptionRequest, _: grpc.ServicerContext) -> None:
        self._broker.delete_subscription(request.subscription)

    def acknowledge(self, request: types.AcknowledgeRequest, _: grpc.ServicerContext) -> None:
        self._broker.subscription(request.subscription).backlog.acknowledge(request.ack_ids)

    def modify_ack_deadline(self, request: types.ModifyAckDeadlineRequest, _: grpc.ServicerContext) -> None:
        if not 0 <= request.ack_deadline_seconds <= LONGEST_DEADLINE:
            raise invalid(f"An ack deadline lies between 0 and {LONGEST_DEADLINE} s.")
        backlog = self._broker.subscription(request.subscription).backlog
        backlog.extend(request.ack_ids, request.ack_deadline_seconds)

    def pull(self, request: types.PullRequest, context: grpc.ServicerContext) -> types.PullResponse:
        """Waits for a first message up to 10 s, less where the caller's own deadline is near."""
        found = self._broker.subscription(request.subscription)
        if request.max_messages < 1:
            raise invalid("max_messages must be positive.")
        context.add_callback(found.backlog.wake)
        left = context.time_remaining()
        wait = PULL_WAIT if left is None else max(0.0, min(PULL_WAIT, left - 0.5))
        leases = found.backlog.take(
            min(request.max_messages, MOST_AT_ONCE),
            found.resource.ack_deadline_seconds,
            0.0 if request.return_immediately else wait,
            stop=lambda: not context.is_active(),
        )
        return types.PullResponse(received_messages=[_received(one, found.resource) for one in leases])

    def streaming_pull(
        self, requests: Iterator[types.StreamingPullRequest], context: grpc.ServicerContext
    ) -> Iterator[types.StreamingPullResponse]:
        """Messages as they come, until the caller ends the stream."""
        first = next(requests)
        found = self._broker.subscription(first.subscription)
        over = threading.Event()

        def end() -> None:
            over.set()
            found.backlog.wake()

        context.add_callback(end)
        _follow(first, found.backlog)
        threading.Thread(target=_follow_all, args=(requests, found.backlog), daemon=True).start()
        properties = types.StreamingPullResponse.SubscriptionProperties(
            message_ordering_enabled=found.resource.enable_message_ordering
        )
        deadline = first.stream_ack_deadline_seconds or found.resource.ack_deadline_seconds
        while not over.is_set():
            leases = found.backlog.take(
                MOST_AT_ONCE,
                deadline,
                PULL_WAIT,
                stop=over.is_set,
                owner=over,
                outstanding=max(first.max_outstanding_messages, 0),
            )
            if leases:
                received = [_received(one, found.resource) for one in leases]
                yield types.StreamingPullResponse(received_messages=received, subscription_properties=properties)

    def methods(self) -> tuple[Method, ...]:
        one = types.Subscription
        return (
            Method("CreateSubscription", one, one, self.create_subscription),
            Method("GetSubscription", types.GetSubscriptionRequest, one, self.get_subscription),
            Method(
                "ListSubscriptions",
                types.ListSubscriptionsRequest,
                types.ListSubscriptionsResponse,
                self.list_subscriptions,
            ),
            Method("UpdateSubscription", types.UpdateSubscriptionRequest, one, self.update_subscription),
            Method("ModifyPushConfig", types.ModifyPushConfigRequest, None, self.modify_push_config),
            Method("DeleteSubscription", types.DeleteSubscriptionRequest, None, self.delete_subscription),
            Method("Acknowledge", types.AcknowledgeRequest, None, self.acknowledge),
            Method("ModifyAckDeadline", types.ModifyAckDeadlineRequest, None, self.modify_ack_deadline),
            Method("Pull", types.PullRequest, types.PullResponse, self.pull),
            Method(
                "StreamingPull",
                types.StreamingPullRequest,
                types.StreamingPullResponse,
                self.streaming_pull,
                streams=True,
            ),
        )

    def _complete(self, resource: types.Subscription) -> None:
        """Fills in the service's defaults and checks the limits. Raises: Refused."""
        allow_only(resource, FIELDS)
        allow_only(resource.push_config, PUSH_FIELDS)
        endpoint = resource.push_config.push_endpoint
        if endpoint and urlsplit(endpoint).scheme != "http":
            raise invalid(f"The local Pub/Sub pushes to http endpoints, not to {endpoint}.")
        deadline = resource.ack_deadline_seconds or DEFAULT_DEADLINE
        if not self._shortest_deadline <= deadline <= LONGEST_DEADLINE:
            raise invalid(f"An ack deadline lies between {self._shortest_deadline} and {LONGEST_DEADLINE} s.")
        resource.ack_deadline_seconds = deadline
        if "message_retention_duration" not in resource:
            types.Subscription.pb(resource).message_retention_duration.FromTimedelta(RETENTION)
        if "retry_policy" in resource:
            retry = types.RetryPolicy.pb(resource.retry_policy)
            for field, default in (("minimum_backoff", LEAST_BACKOFF), ("maximum_backoff", MOST_BACKOFF)):
                if not retry.HasField(field):
                    getattr(retry, field).FromTimedelta(default)
        if "dead_letter_policy" in resource:
            attempts = resource.dead_letter_policy.max_delivery_attempts or LEAST_ATTEMPTS
            if not LEAST_ATTEMPTS <= attempts <= MOST_ATTEMPTS:
                raise invalid(f"max_delivery_attempts lies between {LEAST_ATTEMPTS} and {MOST_ATTEMPTS}.")
            resource.dead_letter_policy.max_delivery_attempts = attempts
        resource.state = types.Subscription.State(types.Subscription.State.ACTIVE)


def _follow_all(requests: Iterator[types.StreamingPullRequest], backlog: Backlog) -> None:
    try:
        for request in requests:
            _follow(request, backlog)
    except grpc.RpcError:
        # The caller has gone; the stream's own callback ends the rest.
        return


def _follow(request: types.StreamingPullRequest, backlog: Backlog) -> None:
    backlog.acknowledge(request.ack_ids)
    for ack_id, seconds in zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True):
        backlog.extend([ack_id], seconds)


def _received(lease: Lease, resource: types.Subscription) -> types.ReceivedMessage:
    message = lease.message
    return types.ReceivedMessage(
        ack_id=lease.ack_id,
        message=types.PubsubMessage(
            data=message.data,
            attributes=dict(message.attributes),
            message_id=message.id,
            publish_time=message.published,
            ordering_key=message.ordering_key,
        ),
        delivery_attempt=lease.attempt if "dead_letter_policy" in resource else 0,
    )
