"""`python -m localcloud.publish MESSAGE`: put a message on the topic of the cloud that the environment names."""

from __future__ import annotations

import os
import sys

from google.cloud.pubsub_v1 import PublisherClient


def publish(content: bytes) -> str:
    """Publish a message, and give its id."""
    topic = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/topics/{os.environ['TOPIC']}"
    return str(PublisherClient().publish(topic, content).result(30))


if __name__ == "__main__":
    print(publish(sys.argv[1].encode()))
