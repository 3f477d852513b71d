"""`python -m localcloud.pubsub --port 0`"""

import argparse
from pathlib import Path

from localcloud.pubsub.broker import Broker
from localcloud.pubsub.faults import Faults
from localcloud.pubsub.publisher import Publisher
from localcloud.pubsub.rpc import serve, service
from localcloud.pubsub.subscriber import DEFAULT_DEADLINE, Subscriber


def main() -> None:
    parser = argparse.ArgumentParser(prog="localcloud.pubsub", description="Pub/Sub on one machine")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--push-concurrency", type=int, default=8, help="pushes under way at once, per subscription")
    parser.add_argument(
        "--shortest-ack-deadline", type=int, default=DEFAULT_DEADLINE, help="seconds; the real service has 10"
    )
    parser.add_argument("--faults-file", type=Path, help="see faults.py")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="what every request takes longer")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin closes")
    given = parser.parse_args()
    broker, faults = Broker(given.push_concurrency), Faults(given.faults_file)
    subscriber, latency = Subscriber(broker, given.shortest_ack_deadline), given.latency_ms / 1000
    services = (
        service("google.pubsub.v1.Publisher", Publisher(broker).methods(), faults, latency),
        service("google.pubsub.v1.Subscriber", subscriber.methods(), faults, latency),
    )
    serve("pubsub", given.port, services, exit_with_parent=given.exit_with_parent)


if __name__ == "__main__":
    main()
