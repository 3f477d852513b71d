"""The undelivered messages of one subscription: leases, backoff, order, dead letters.

A message is *ready*, *leased* (somebody has it, until the ack deadline), *waiting* for its backoff, or *queued* behind
an earlier one with the same ordering key. Only an acknowledgement, or the dead letter topic, ends it.
"""

import heapq
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from localcloud.pubsub.message import Message


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a delivery that failed: again after `minimum * 2^n` seconds, at most `maximum`.

    After `attempts` failures the message goes to `bury`, with their number; a True from there ends it here.
    """

    minimum: float = 0.0
    maximum: float = 0.0
    attempts: float = math.inf
    bury: Callable[[Message, int], bool] = lambda message, attempts: False

    def backoff(self, failures: int) -> float:
        return min(self.maximum, self.minimum * 2.0 ** min(failures - 1, 60))


@dataclass(frozen=True, slots=True)
class Lease:
    """A delivery under way. `attempt` counts from 1, `expires` is in the clock of the backlog."""

    ack_id: str
    message: Message
    attempt: int
    expires: float
    owner: object = None


@dataclass(frozen=True, slots=True, order=True)
class _Turn:
    """A message in the queue: when it may be delivered, and in which order."""

    due: float
    number: int
    message: Message
    failures: int = 0


class Backlog:
    """Safe for many takers. All backlogs of a service share `lock`, so burying in another topic cannot lock up."""

    def __init__(
        self, lock: threading.RLock, policy: Policy, *, ordered: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._changed = threading.Condition(lock)
        self._ordered = ordered
        self._clock = clock
        self._numbers = itertools.count()
        self._turns: list[_Turn] = []
        self._leases: dict[str, Lease] = {}
        self._expiries: list[tuple[float, str]] = []
        self._queued: dict[str, deque[Message]] = {}
        self.policy = policy

    def add(self, messages: Iterable[Message]) -> None:
        with self._changed:
            for message in messages:
                if self._ordered and message.ordering_key:
                    if message.ordering_key in self._queued:
                        self._queued[message.ordering_key].append(message)
                        continue
                    self._queued[message.ordering_key] = deque()
                self._push(message, 0.0, 0)
            self._changed.notify_all()

    def take(
        self,
        most: int,
        deadline: float,
        wait: float,
        *,
        stop: Callable[[], bool] = lambda: False,
        owner: object = None,
        outstanding: int = 0,
    ) -> list[Lease]:
        """Up to `most` messages leased for `deadline` seconds; waits up to `wait` seconds for the first one.

        Ends empty-handed when `stop` says so (see `wake`). `outstanding`, where not 0, is the most that `owner` may
        hold.
        """
        with self._changed:
            until = self._clock() + wait
            while True:
                moment = self._clock()
                self._expire(moment)
                if stop():
                    return []
                room = most if not outstanding else min(most, outstanding - self._held(owner))
                taken = self._lease(room, moment, deadline, owner)
                if taken or moment >= until:
                    return taken
                self._changed.wait(min(until, self._next_event(room)) - moment)

    def acknowledge(self, ack_ids: Iterable[str]) -> None:
        """Ends the messages. Ids whose deadline is over are passed over: those messages are on their way again."""
        with self._changed:
            self._expire(self._clock())
            for ack_id in ack_ids:
                lease = self._leases.pop(ack_id, None)
                if lease is not None:
                    self._end(lease.message)
            self._changed.notify_all()

    def extend(self, ack_ids: Iterable[str], seconds: float) -> None:
        """Sets the deadline to `seconds` from now; 0 gives the messages back, which counts as a failure."""
        with self._changed:
            moment = self._clock()
            self._expire(moment)
            for ack_id in ack_ids:
                lease = self._leases.get(ack_id)
                if lease is None:
                    continue
                if seconds <= 0:
                    self._fail(self._leases.pop(ack_id), moment)
                else:
                    self._hold(replace(lease, expires=moment + seconds))
            self._changed.notify_all()

    def wake(self) -> None:
        """Lets every taker ask its `stop` again."""
        with self._changed:
            self._changed.notify_all()

    def _push(self, message: Message, due: float, failures: int) -> None:
        heapq.heappush(self._turns, _Turn(due, next(self._numbers), message, failures))

    def _lease(self, room: int, moment: float, deadline: float, owner: object) -> list[Lease]:
        taken: list[Lease] = []
        while len(taken) < room and self._turns and self._turns[0].due <= moment:
            turn = heapq.heappop(self._turns)
            attempt = turn.failures + 1
            lease = Lease(f"{turn.message.id}-{attempt}", turn.message, attempt, moment + deadline, owner)
            self._hold(lease)
            taken.append(lease)
        return taken

    def _hold(self, lease: Lease) -> None:
        self._leases[lease.ack_id] = lease
        heapq.heappush(self._expiries, (lease.expires, lease.ack_id))

    def _held(self, owner: object) -> int:
        return sum(lease.owner is owner for lease in self._leases.values())

    def _expire(self, moment: float) -> None:
        while self._expiries and self._expiries[0][0] <= moment:
            expires, ack_id = heapq.heappop(self._expiries)
            lease = self._leases.get(ack_id)
            if lease is not None and lease.expires == expires:
                self._fail(self._leases.pop(ack_id), moment)

    def _next_event(self, room: int) -> float:
        due = self._turns[0].due if self._turns and room > 0 else math.inf
        return min(due, self._expiries[0][0] if self._expiries else math.inf)

    def _fail(self, lease: Lease, moment: float) -> None:
        policy = self.policy
        if lease.attempt >= policy.attempts and policy.bury(lease.message, lease.attempt):
            self._end(lease.message)
        else:
            self._push(lease.message, moment + policy.backoff(lease.attempt), lease.attempt)

    def _end(self, message: Message) -> None:
        """The next message with the same ordering key may go."""
        queued = self._queued.get(message.ordering_key) if self._ordered and message.ordering_key else None
        if queued is None:
            return
        if queued:
            self._push(queued.popleft(), 0.0, 0)
        else:
            del self._queued[message.ordering_key]
