"""Publishing counts when the server has confirmed it."""

import time

import pytest

from localcloud.cloud import PROJECT
from pipeline.clients.pubsub import Topics
from pipeline.errors import OutOfTime, TopicUnavailable
from tests.deployment import InProcessDeployment


@pytest.fixture
def topics(deployment: InProcessDeployment) -> Topics:
    return deployment.within(30).topics


def received(deployment: InProcessDeployment) -> list[tuple[bytes, dict[str, str]]]:
    """What is on the rejected topic, with attributes."""
    return [(bytes(one.data), dict(one.attributes)) for one in deployment.taken(deployment.rejected_topic)]


def test_every_message_is_published_once_with_its_attributes(deployment: InProcessDeployment, topics: Topics) -> None:
    messages = [f"message {number}".encode() for number in range(700)]
    count = topics.publish(f"{deployment.name}-rejected", iter(messages), {"code": "x"})
    assert count == 700
    found = received(deployment)
    assert sorted(data for data, _ in found) == sorted(messages)
    assert {attributes["code"] for _, attributes in found} == {"x"}


def test_a_topic_may_be_named_in_full(deployment: InProcessDeployment, topics: Topics) -> None:
    full = f"projects/{PROJECT}/topics/{deployment.name}-rejected"
    assert topics.path(full) == full
    assert topics.path("short") == f"projects/{PROJECT}/topics/short"
    assert topics.publish(full, [b"x"]) == 1
    assert received(deployment) == [(b"x", {})]


def test_nothing_to_publish_is_done(topics: Topics) -> None:
    assert topics.publish("no-such", []) == 0


def test_a_topic_that_is_not_there_is_an_error_that_names_it(deployment: InProcessDeployment, topics: Topics) -> None:
    with pytest.raises(TopicUnavailable, match=f"publish to projects/{PROJECT}/topics/no-such .*the topic must exist"):
        topics.publish("no-such", [b"x"])


def test_a_service_that_is_not_there_is_noticed_within_the_budget(deployment: InProcessDeployment) -> None:
    deployment.set(PUBSUB_EMULATOR_HOST="127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises((TopicUnavailable, OutOfTime)):
        deployment.within(1).topics.publish("any", [b"x"])
    assert time.monotonic() - began < 25  # below a try's own limit


def test_nothing_is_published_when_the_time_is_over(deployment: InProcessDeployment) -> None:
    with pytest.raises(OutOfTime):
        deployment.within(-1).topics.publish(f"{deployment.name}-rejected", [b"x"])
    assert received(deployment) == []
