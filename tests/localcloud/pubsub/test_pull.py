"""Topics, subscriptions, pull, streaming pull, refusals and faults, through the real clients."""

import json
import threading

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.subscriber.message import Message

from localcloud.storage.process import running
from tests.localcloud.pubsub.conftest import PROJECT, Deployment


def test_a_pulled_message_has_what_was_published_and_ends_when_acknowledged(clients: Deployment, topic: str) -> None:
    subscription = clients.subscribe(topic, ack_deadline_seconds=1)
    message_id = clients.publish(topic, b"x", a="b")
    (found,) = clients.subscriber.pull(subscription=subscription, max_messages=5, timeout=15).received_messages
    assert (found.message.message_id, found.message.data) == (message_id, b"x")
    assert dict(found.message.attributes) == {"a": "b"}
    assert found.delivery_attempt == 0
    clients.subscriber.acknowledge(subscription=subscription, ack_ids=[found.ack_id])
    marker = clients.publish(topic, b"marker")
    assert marker
    assert [data for _, data in clients.pull(subscription)] == [b"marker"]


def test_a_message_comes_again_after_its_deadline_and_at_once_when_given_back(clients: Deployment, topic: str) -> None:
    subscription = clients.subscribe(topic, ack_deadline_seconds=1)
    clients.publish(topic, b"x")
    assert len(clients.pull(subscription)) == 1
    assert clients.pull(subscription, at_once=True) == []
    ((ack_id, _),) = clients.pull(subscription)
    clients.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=[ack_id], ack_deadline_seconds=0)
    assert len(clients.pull(subscription, at_once=True)) == 1


def test_every_subscription_gets_every_message_and_filters_choose(clients: Deployment, topic: str) -> None:
    everything = clients.subscribe(topic)
    filters = {
        'attributes.k="v"': [b"v"],
        'attributes.k != "v"': [b"w", b"none"],
        "attributes:k": [b"v", b"w"],
        'attributes:k AND attributes.k != "w"': [b"v"],
    }
    filtered = {text: clients.subscribe(topic, filter=text) for text in filters}
    clients.publish(topic, b"v", k="v")
    clients.publish(topic, b"w", k="w")
    clients.publish(topic, b"none")
    assert [data for _, data in clients.pull(everything)] == [b"v", b"w", b"none"]
    assert {text: [data for _, data in clients.pull(name)] for text, name in filtered.items()} == filters


def test_ten_thousand_messages_arrive_once_each_through_a_stream(clients: Deployment, topic: str) -> None:
    subscription = clients.subscribe(topic, ack_deadline_seconds=60)
    sent = [clients.publisher.publish(topic, b"x" * 100) for _ in range(10_000)]
    ids = {one.result(30) for one in sent}
    got: list[str] = []
    complete = threading.Event()

    def take(message: Message) -> None:
        got.append(message.message_id)
        message.ack()
        if len(got) == len(ids):
            complete.set()

    stream = clients.subscriber.subscribe(subscription, callback=take)
    assert complete.wait(60)
    stream.cancel()
    stream.result(20)
    assert sorted(got) == sorted(ids)


def test_names_are_unique_and_what_is_missing_is_not_found(clients: Deployment, topic: str) -> None:
    subscription = clients.subscribe(topic)
    with pytest.raises(exceptions.AlreadyExists):
        clients.publisher.create_topic(name=topic)
    with pytest.raises(exceptions.AlreadyExists):
        clients.subscriber.create_subscription(name=subscription, topic=topic)
    with pytest.raises(exceptions.NotFound):
        clients.subscribe(f"{topic}-missing")
    with pytest.raises(exceptions.NotFound):
        clients.publish(f"{topic}-missing", b"x")
    assert list(clients.publisher.list_topic_subscriptions(topic=topic)) == [subscription]
    clients.publisher.delete_topic(topic=topic)
    assert clients.subscriber.get_subscription(subscription=subscription).topic == "_deleted-topic_"


def test_an_update_changes_what_its_mask_names(clients: Deployment, topic: str) -> None:
    subscription = clients.subscribe(topic, labels={"a": "b"})
    changed = clients.subscriber.update_subscription(
        subscription={"name": subscription, "ack_deadline_seconds": 30, "labels": {"c": "d"}},
        update_mask={"paths": ["ack_deadline_seconds"]},
    )
    assert (changed.ack_deadline_seconds, dict(changed.labels)) == (30, {"a": "b"})
    assert clients.subscriber.get_subscription(subscription=subscription).ack_deadline_seconds == 30


@pytest.mark.parametrize(
    "settings",
    [
        {"ack_deadline_seconds": 601},
        {"dead_letter_policy": {"dead_letter_topic": "projects/local/topics/x", "max_delivery_attempts": 4}},
        {"push_config": {"push_endpoint": "ftp://127.0.0.1/"}},
    ],
)
def test_settings_outside_the_limits_are_refused(clients: Deployment, topic: str, settings: dict[str, object]) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        clients.subscribe(topic, **settings)


def test_a_message_without_data_and_attributes_is_refused(clients: Deployment, topic: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        clients.publish(topic, b"")


@pytest.mark.parametrize(
    "settings",
    [
        {"enable_exactly_once_delivery": True},
        {"filter": 'NOT attributes.k = "v"'},
        {"push_config": {"push_endpoint": "http://127.0.0.1:1/", "no_wrapper": {"write_metadata": True}}},
    ],
)
def test_what_is_not_known_is_refused_loudly(clients: Deployment, topic: str, settings: dict[str, object]) -> None:
    with pytest.raises(exceptions.MethodNotImplemented):
        clients.subscribe(topic, **settings)
    with pytest.raises(exceptions.MethodNotImplemented):
        clients.subscriber.create_snapshot(name=f"{topic}-snapshot", subscription="projects/local/subscriptions/x")
    assert "CreateSnapshot" in clients.log.read_text()


def test_a_publish_whose_answer_is_lost_is_published_twice_under_two_ids(clients: Deployment, topic: str) -> None:
    subscription = clients.subscribe(topic)
    draft = clients.faults.with_suffix(".new")
    draft.write_text(json.dumps({"match": "Publish", "times": 1, "action": "lose"}))
    draft.replace(clients.faults)
    clients.publish(topic, b"x")
    clients.faults.unlink()
    found = clients.pull(subscription)
    assert [data for _, data in found] == [b"x", b"x"]
    assert len({ack_id for ack_id, _ in found}) == 2


def test_the_service_ends_at_once_although_a_stream_is_open() -> None:
    with running("localcloud.pubsub") as started, pytest.MonkeyPatch.context() as environment:
        environment.setenv("PUBSUB_EMULATOR_HOST", started.ready["grpc"])
        publisher, subscriber = PublisherClient(), SubscriberClient()
        topic, subscription = f"{PROJECT}/topics/t", f"{PROJECT}/subscriptions/s"
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=subscription, topic=topic)
        publisher.publish(topic, b"x").result(20)
        opening = {"subscription": subscription, "stream_ack_deadline_seconds": 10}
        stream = subscriber.streaming_pull(requests=iter([opening]), retry=None)
        assert next(iter(stream)).received_messages[0].message.data == b"x"
        started.process.terminate()
        assert started.process.wait(5) == 0
