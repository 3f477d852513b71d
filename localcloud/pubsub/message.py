"""A published message, and how it looks when it is pushed."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

PUSH_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "CloudPubSub-Google",
    "From": "noreply@google.com",
}
"""What a subscription of one's own sends; only Eventarc, which pushes for others, adds those of a CloudEvent."""


@dataclass(frozen=True, slots=True)
class Message:
    """What was published; `published` in UTC."""

    id: str
    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str
    published: datetime

    @property
    def published_text(self) -> str:
        """RFC 3339 with milliseconds, as Pub/Sub writes it in a push."""
        return self.published.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def push_body(message: Message, subscription: str, delivery_attempt: int | None) -> bytes:
    """The JSON of a wrapped push; fields without a value are left out (Pub/Sub documentation, "Push subscriptions").

    `delivery_attempt` is there only for subscriptions with a dead letter policy.
    """
    wrapped: dict[str, object] = {
        "messageId": message.id,
        "message_id": message.id,
        "publishTime": message.published_text,
        "publish_time": message.published_text,
    }
    if message.data:
        wrapped["data"] = base64.b64encode(message.data).decode()
    if message.attributes:
        wrapped["attributes"] = dict(message.attributes)
    if message.ordering_key:
        wrapped["orderingKey"] = message.ordering_key
    body: dict[str, object] = {"message": wrapped, "subscription": subscription}
    if delivery_attempt is not None:
        body["deliveryAttempt"] = delivery_attempt
    return json.dumps(body).encode()
