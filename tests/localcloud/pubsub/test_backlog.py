"""The undelivered messages of one subscription, with a clock of our own."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from localcloud.pubsub.backlog import Backlog, Policy
from localcloud.pubsub.message import Message


@dataclass(slots=True)
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def message(number: int, key: str = "") -> Message:
    return Message(str(number), b"x", {}, key, datetime(2026, 1, 1, tzinfo=UTC))


def backlog(clock: Clock, policy: Policy | None = None, *, ordered: bool = False) -> Backlog:
    return Backlog(threading.RLock(), policy or Policy(), ordered=ordered, clock=clock)


def taken(queue: Backlog, most: int = 10, deadline: float = 10.0) -> list[tuple[str, int]]:
    """Ids and attempts of what is to be had now."""
    return [(one.message.id, one.attempt) for one in queue.take(most, deadline, 0)]


def test_a_leased_message_comes_again_only_after_its_deadline() -> None:
    clock = Clock()
    queue = backlog(clock)
    queue.add([message(1)])
    assert taken(queue) == [("1", 1)]
    clock.seconds = 9.9
    assert taken(queue) == []
    clock.seconds = 10.0
    assert taken(queue) == [("1", 2)]


def test_an_extended_deadline_counts_from_the_extension() -> None:
    clock = Clock()
    queue = backlog(clock)
    queue.add([message(1)])
    (lease,) = queue.take(1, 10, 0)
    clock.seconds = 9.0
    queue.extend([lease.ack_id], 5)
    clock.seconds = 13.9
    assert taken(queue) == []
    clock.seconds = 14.0
    assert taken(queue) == [("1", 2)]


def test_an_acknowledgement_that_comes_too_late_ends_nothing() -> None:
    clock = Clock()
    queue = backlog(clock)
    queue.add([message(1)])
    (lease,) = queue.take(1, 10, 0)
    clock.seconds = 10.0
    queue.acknowledge([lease.ack_id])
    assert taken(queue) == [("1", 2)]


def test_backoff_doubles_up_to_its_maximum() -> None:
    clock = Clock()
    queue = backlog(clock, Policy(minimum=1, maximum=3))
    queue.add([message(1)])
    waits: list[float] = []
    (lease,) = queue.take(1, 10, 0)
    for _ in range(4):
        queue.extend([lease.ack_id], 0)
        failed = clock.seconds
        while not (again := queue.take(1, 10, 0)):
            clock.seconds += 0.5
        waits.append(clock.seconds - failed)
        (lease,) = again
    assert waits == [1, 2, 3, 3]


def test_after_its_attempts_a_message_is_buried_and_the_next_of_its_key_goes() -> None:
    buried: list[tuple[str, int]] = []

    def bury(one: Message, attempts: int) -> bool:
        buried.append((one.id, attempts))
        return True

    queue = backlog(Clock(), Policy(attempts=2, bury=bury), ordered=True)
    queue.add([message(1, "a"), message(2, "a")])
    for _ in range(2):
        (lease,) = queue.take(10, 10, 0)
        queue.extend([lease.ack_id], 0)
    assert buried == [("1", 2)]
    assert taken(queue) == [("2", 1)]


def test_a_message_that_cannot_be_buried_is_delivered_again() -> None:
    queue = backlog(Clock(), Policy(attempts=1, bury=lambda one, attempts: False))
    queue.add([message(1)])
    (lease,) = queue.take(1, 10, 0)
    queue.extend([lease.ack_id], 0)
    assert taken(queue) == [("1", 2)]


def test_an_owner_holds_no_more_than_it_asked_for() -> None:
    queue = backlog(Clock())
    queue.add(message(number) for number in range(5))
    owner = object()
    held = queue.take(10, 10, 0, owner=owner, outstanding=3)
    assert len(held) == 3
    assert queue.take(10, 10, 0, owner=owner, outstanding=3) == []
    queue.acknowledge([held[0].ack_id])
    assert len(queue.take(10, 10, 0, owner=owner, outstanding=3)) == 1


def test_a_waiting_taker_is_woken_by_a_message_and_by_its_stop() -> None:
    queue = Backlog(threading.RLock(), Policy(), ordered=False)
    stopped = threading.Event()
    found: list[int] = []
    first = threading.Event()

    def take() -> None:
        while not stopped.is_set():
            found.append(len(queue.take(1, 10, 60, stop=stopped.is_set)))
            first.set()

    taking = threading.Thread(target=take)
    taking.start()
    queue.add([message(1)])
    assert first.wait(10)
    stopped.set()
    queue.wake()
    taking.join(10)
    assert found == [1, 0]
    assert not taking.is_alive()


@given(
    keys=st.lists(st.sampled_from(["", "a", "b"]), max_size=8),
    steps=st.lists(st.tuples(st.sampled_from(["take", "ack", "nack", "pass"]), st.integers(1, 4)), max_size=30),
)
def test_no_message_is_lost_and_every_key_keeps_its_order(keys: list[str], steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    queue = backlog(clock, Policy(minimum=1, maximum=4), ordered=True)
    queue.add(message(number, key) for number, key in enumerate(keys))
    open_leases: list[str] = []
    delivered: list[Message] = []
    for step, number in [*steps, *[("pass", 20), ("take", 8), ("ack", 8)] * 8]:
        if step == "take":
            leases = queue.take(number, 10, 0)
            delivered += [one.message for one in leases]
            open_leases += [one.ack_id for one in leases]
        elif step == "pass":
            clock.seconds += number
        else:
            chosen, open_leases = open_leases[:number], open_leases[number:]
            if step == "ack":
                queue.acknowledge(chosen)
            else:
                queue.extend(chosen, 0)
    assert {one.id for one in delivered} == {str(number) for number in range(len(keys))}
    clock.seconds += 100
    assert queue.take(8, 10, 0) == []
    for key in "ab":
        first_seen = list(dict.fromkeys(int(one.id) for one in delivered if one.ordering_key == key))
        assert first_seen == sorted(first_seen)
