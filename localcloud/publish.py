"""`python -m localcloud.publish MESSAGE`: put a message on the topic of the cloud that the environment names."""

from __future__ import annotations

import os
import sys

from google.cloud.pubsub_v1 import PublisherClient


def main() -> None:
    """Publish and print the message's id."""
    topic = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/topics/{os.environ['TOPIC']}"
    print(PublisherClient().publish(topic, sys.argv[1].encode()).result(30))


if __name__ == "__main__":
    main()
