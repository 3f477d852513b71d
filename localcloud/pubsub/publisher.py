"""google.pubsub.v1.Publisher"""

import grpc
from google.pubsub_v1 import types

from localcloud.pubsub.broker import Broker
from localcloud.pubsub.rpc import Method, allow_only, invalid

TOPIC_FIELDS = frozenset({"name", "labels", "message_storage_policy", "message_retention_duration"})
MOST_MESSAGES, MOST_BYTES = 1000, 10_000_000
"""In one publish request (Pub/Sub documentation, "Quotas and limits")."""


class Publisher:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def create_topic(self, request: types.Topic, _: grpc.ServicerContext) -> types.Topic:
        allow_only(request, TOPIC_FIELDS)
        self._broker.add_topic(request)
        return request

    def get_topic(self, request: types.GetTopicRequest, _: grpc.ServicerContext) -> types.Topic:
        return self._broker.topic(request.topic)

    def list_topics(self, request: types.ListTopicsRequest, _: grpc.ServicerContext) -> types.ListTopicsResponse:
        """All of a project's, on one page."""
        prefix = f"{request.project}/topics/"
        return types.ListTopicsResponse(topics=[one for one in self._broker.topics() if one.name.startswith(prefix)])

    def list_topic_subscriptions(
        self, request: types.ListTopicSubscriptionsRequest, _: grpc.ServicerContext
    ) -> types.ListTopicSubscriptionsResponse:
        topic = self._broker.topic(request.topic).name
        found = [one.name for one in self._broker.subscriptions() if one.topic == topic]
        return types.ListTopicSubscriptionsResponse(subscriptions=found)

    def delete_topic(self, request: types.DeleteTopicRequest, _: grpc.ServicerContext) -> None:
        self._broker.delete_topic(request.topic)

    def publish(self, request: types.PublishRequest, _: grpc.ServicerContext) -> types.PublishResponse:
        messages = list(request.messages)
        if not 1 <= len(messages) <= MOST_MESSAGES:
            raise invalid(f"A publish request has 1 to {MOST_MESSAGES} messages.")
        if not all(one.data or one.attributes for one in messages):
            raise invalid("A message has data or at least one attribute.")
        if types.PublishRequest.pb(request).ByteSize() > MOST_BYTES:
            raise invalid(f"A publish request has at most {MOST_BYTES} bytes.")
        return types.PublishResponse(message_ids=self._broker.publish(request.topic, messages))

    def methods(self) -> tuple[Method, ...]:
        return (
            Method("CreateTopic", types.Topic, types.Topic, self.create_topic),
            Method("GetTopic", types.GetTopicRequest, types.Topic, self.get_topic),
            Method("ListTopics", types.ListTopicsRequest, types.ListTopicsResponse, self.list_topics),
            Method(
                "ListTopicSubscriptions",
                types.ListTopicSubscriptionsRequest,
                types.ListTopicSubscriptionsResponse,
                self.list_topic_subscriptions,
            ),
            Method("DeleteTopic", types.DeleteTopicRequest, None, self.delete_topic),
            Method("Publish", types.PublishRequest, types.PublishResponse, self.publish),
        )
