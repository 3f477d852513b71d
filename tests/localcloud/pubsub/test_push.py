"""Push: what is posted, deadlines, backoff, dead letters, order and the cap on concurrency."""

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from functions_framework import create_app
from werkzeug.serving import make_server

from localcloud.pubsub.endpoint import Endpoint, Received
from tests.localcloud.pubsub.conftest import Deployment


def push_to(target: Endpoint) -> dict[str, str]:
    return {"push_endpoint": target.url}


def test_a_push_is_the_wrapped_message_without_the_headers_of_a_cloud_event(
    clients: Deployment, topic: str, target: Endpoint
) -> None:
    subscription = clients.subscribe(topic, push_config=push_to(target))
    message_id = clients.publish(topic, b'{"x": 1}', run="r1")
    (received,) = target.wait_for(len)
    headers = {name.lower(): value for name, value in received.headers.items()}
    message = received.body["message"]
    assert [name for name in headers if name.startswith("ce-")] == []
    assert (headers["content-type"], headers["user-agent"]) == ("application/json", "CloudPubSub-Google")
    assert received.body["subscription"] == subscription
    assert "deliveryAttempt" not in received.body
    assert base64.b64decode(message["data"]) == b'{"x": 1}'
    assert (message["messageId"], message["message_id"]) == (message_id, message_id)
    assert message["attributes"] == {"run": "r1"}
    assert message["publishTime"].endswith("Z")
    assert abs((datetime.fromisoformat(message["publishTime"]) - datetime.now(UTC)).total_seconds()) < 60


def test_what_a_message_has_not_is_left_out_of_its_push(clients: Deployment, topic: str, target: Endpoint) -> None:
    clients.subscribe(topic, push_config=push_to(target))
    clients.publish(topic, b"", only="attributes")
    clients.publish(topic, b"only data")
    target.wait_for(lambda received: len(received) == 2)
    keys = {frozenset(one.body["message"]) for one in target.received}
    always = {"messageId", "message_id", "publishTime", "publish_time"}
    assert keys == {frozenset(always | {"attributes"}), frozenset(always | {"data"})}


@pytest.fixture
def function(tmp_path: Path) -> Iterator[str]:
    """The URL of a function that writes the events it gets into a file beside it."""
    source = tmp_path / "main.py"
    source.write_text(
        "import json, pathlib\n"
        "import functions_framework\n"
        "@functions_framework.http\n"
        "def handle(request):\n"
        "    found = request.get_json()\n"
        "    path = pathlib.Path(__file__).with_name('event')\n"
        "    path.with_name('draft').write_text(json.dumps(found))\n"
        "    path.with_name('draft').rename(path)\n"
        "    return '', 204\n"
    )
    app = create_app("handle", str(source), "http")  # type: ignore[no-untyped-call]  # no types there
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def test_a_function_of_functions_framework_understands_a_push(
    clients: Deployment, topic: str, function: str, tmp_path: Path
) -> None:
    subscription = clients.subscribe(topic, push_config={"push_endpoint": function})
    message_id = clients.publish(topic, b"hello")
    clients.wait_for_log(message_id, 1)
    event = json.loads((tmp_path / "event").read_text())
    assert event["subscription"] == subscription
    assert event["message"]["messageId"] == message_id


def test_a_failed_push_comes_again_after_a_growing_backoff(clients: Deployment, topic: str, target: Endpoint) -> None:
    target.answer = lambda received: 500 if received.count < 3 else 200
    clients.subscribe(topic, push_config=push_to(target), backoff=(0.2, 0.4))
    clients.publish(topic, b"x")
    came = [one.at for one in target.wait_for(lambda received: len(received) == 4)]
    gaps = [later - earlier for earlier, later in pairwise(came)]
    assert [gap >= least for gap, least in zip(gaps, (0.2, 0.4, 0.4), strict=True)] == [True] * 3
    assert gaps[2] < 1.0


def test_an_answer_after_the_deadline_counts_as_failure_and_both_requests_overlap(
    clients: Deployment, topic: str, target: Endpoint
) -> None:
    release, ended = threading.Event(), threading.Event()

    def answer(received: Received) -> int:
        if received.count == 0:
            release.wait(20)
            ended.set()
        return 200

    target.answer = answer
    clients.subscribe(topic, push_config=push_to(target), ack_deadline_seconds=1, backoff=(0.1, 0.1))
    message_id = clients.publish(topic, b"x")
    first, second = target.wait_for(lambda received: len(received) == 2)
    assert not ended.is_set()
    assert second.at - first.at >= 1.0
    release.set()
    attempts = clients.wait_for_log(message_id, 2)
    assert [one.status for one in attempts] == ["deadline exceeded", 200]
    assert attempts[0].seconds >= 1.0


def test_an_endpoint_that_is_away_gets_the_message_later(clients: Deployment, topic: str, target: Endpoint) -> None:
    subscription = clients.subscribe(topic, push_config={"push_endpoint": "http://127.0.0.1:1/"}, backoff=(0.1, 0.1))
    message_id = clients.publish(topic, b"x")
    assert str(clients.wait_for_log(message_id, 1)[0].status).startswith("no answer")
    clients.subscriber.modify_push_config(subscription=subscription, push_config=push_to(target))
    assert target.wait_for(len)[0].id == message_id


def test_a_message_that_always_fails_ends_in_the_dead_letter_topic(
    clients: Deployment, topic: str, target: Endpoint
) -> None:
    letters = f"{topic}-letters"
    clients.publisher.create_topic(name=letters)
    buried = clients.subscribe(letters)
    target.answer = lambda received: 500 if "poison" in received.attributes else 200
    policy = {"dead_letter_topic": letters, "max_delivery_attempts": 5}
    clients.subscribe(topic, push_config=push_to(target), dead_letter_policy=policy, backoff=(0, 0))
    clients.publish(topic, b"x", poison="yes")
    (found,) = clients.subscriber.pull(subscription=buried, max_messages=2, timeout=15).received_messages
    assert found.message.data == b"x"
    assert found.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert found.message.attributes["poison"] == "yes"
    fine = clients.publish(topic, b"y")
    target.wait_for(lambda received: received[-1].id == fine)
    assert [one.body["deliveryAttempt"] for one in target.received] == [1, 2, 3, 4, 5, 1]


def test_a_failing_message_holds_up_its_ordering_key_and_no_other(
    clients: Deployment, topic: str, target: Endpoint
) -> None:
    target.answer = lambda received: 500 if "stuck" in received.attributes and received.count < 3 else 200
    clients.subscribe(topic, push_config=push_to(target), enable_message_ordering=True, backoff=(0.1, 0.1))
    stuck = clients.publish(topic, b"1", ordering_key="a", stuck="yes")
    behind = clients.publish(topic, b"2", ordering_key="a")
    other = clients.publish(topic, b"3", ordering_key="b")
    received = target.wait_for(lambda received: {one.id for one in received} == {stuck, behind, other})
    order = [one.id for one in received]
    assert [one for one in order if one != other] == [stuck] * 4 + [behind]
    assert order.index(other) < order.index(behind)
    assert [one.body["message"]["orderingKey"] for one in received if one.id == stuck] == ["a"] * 4


def test_no_more_pushes_are_under_way_than_the_cap(clients: Deployment, topic: str, target: Endpoint) -> None:
    release = threading.Event()
    under_way: list[int] = []
    lock = threading.Lock()
    most = 0

    def answer(_: Received) -> int:
        nonlocal most
        with lock:
            under_way.append(1)
            most = max(most, len(under_way))
        release.wait(20)
        with lock:
            under_way.pop()
        return 200

    target.answer = answer
    clients.subscribe(topic, push_config=push_to(target))
    for _ in range(20):
        clients.publish(topic, b"x")
    target.wait_for(lambda received: len(received) == 8)
    release.set()
    target.wait_for(lambda received: len(received) == 20)
    assert most == 8


def test_a_deleted_subscription_pushes_no_more(clients: Deployment, topic: str, target: Endpoint) -> None:
    gone = clients.subscribe(topic, push_config=push_to(target))
    clients.subscribe(topic, push_config=push_to(target), filter='attributes.last = "yes"')
    clients.subscriber.delete_subscription(subscription=gone)
    clients.publish(topic, b"x")
    last = clients.publish(topic, b"y", last="yes")
    assert [one.id for one in target.wait_for(len)] == [last]
