"""What goes wrong meanwhile: kills at random milliseconds, and one-shot faults of every service, drawn from a seed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, get_args

import psutil

from localcloud.function import Function
from localcloud.partner.faults import Fault, OperationName
from tests.faults.harness import FaultHarness

PAUSE: Final = (0.2, 1.0)
"""Seconds between two of them."""

FROZEN: Final = (0.5, 3.0)
"""Seconds that an instance stands still; the budget of an invocation goes on."""

PARTNER: Final = (
    *(Fault("write", "drop", after) for after in (0, 3000, 9000)),
    *(Fault(operation, "drop") for operation in get_args(OperationName)),
    *(Fault(operation, "error") for operation in get_args(OperationName)),
    Fault("open", "lose"),
    Fault("close", "lose"),
    Fault("stat", "lose"),
    Fault("write", "short", 2000),
)
ALWAYS: Final = 10_000
MOODS: Final[Mapping[str, tuple[int, tuple[Fault, ...]]]] = {
    "listing open": (8, ()),
    "listing closed": (3, (Fault("list", "deny", times=ALWAYS),)),
    "listing and sizes closed": (2, (Fault("list", "deny", times=ALWAYS), Fault("stat", "deny", times=ALWAYS))),
    "listing fails": (1, (Fault("list", "error", times=ALWAYS),)),
    "unreachable": (2, (Fault("connect", "error", times=ALWAYS),)),
}
"""How the partner answers until the next order, with weights."""

STORAGE: Final = (
    *(("POST .*/b/(archive|records)/o", action) for action in ("error", "drop", "lose")),
    *(("PUT .*upload_id=", action) for action in ("error", "drop", "lose")),
    *(("PUT .*upload_id=", action) for action in ("partial", "empty")),
    ("POST .*/b/(archive|records)/o", "empty"),
    *(("GET .*alt=media", action) for action in ("error", "drop", "truncate", "flip", "no-body")),
    *(("GET .*/o\\?", action) for action in ("error", "drop", "truncate")),
)
WAREHOUSE: Final = (
    *(("ReadRows", action, after) for action in ("error", "close", "wrong-rows") for after in (0, -1)),
    *((method, action, 0) for method in ("jobs.query", "jobs.insert", "CreateReadSession") for action in ("error",)),
    *((method, "close", -1) for method in ("jobs.query", "jobs.insert")),
)
GPG: Final = (("die", 0), ("die", 1500), ("fail", 0), ("flip", 1500), ("short", 1500), ("mute", 0))


class RandomFaults:
    """Strikes until it is stopped; `done` counts what it did."""

    def __init__(self, harness: FaultHarness, functions: Sequence[Function], chance: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self._harness, self._functions, self._chance = harness, functions, chance
        self._over = threading.Event()
        self._kinds: Mapping[str, tuple[int, Callable[[], None]]] = {
            "an instance killed": (2, self._kill_instance),
            "a server killed": (1, self._kill_server),
            "a server frozen": (1, self._freeze),
            "partner": (5, self._partner),
            "late parts stored": (1, self._harness.cloud.store_late_parts),
            "storage": (5, self._storage),
            "warehouse": (4, self._warehouse),
            "gpg": (3, self._gpg),
            "topic": (1, self._topic),
        }

    def run(self) -> None:
        """Strike, pause, strike."""
        weights = [weight for weight, _ in self._kinds.values()]
        while not self._over.wait(self._chance.uniform(*PAUSE)):
            (kind,) = self._chance.choices(list(self._kinds), weights)
            self._kinds[kind][1]()
            self.done[kind] += 1

    def stop(self) -> None:
        """Order no more faults."""
        self._over.set()

    def _kill_instance(self) -> None:
        function = self._chance.choice(self._functions)
        assert function.process is not None
        try:
            self._chance.choice(psutil.Process(function.process.pid).children()).kill()
        except (psutil.NoSuchProcess, IndexError):
            return  # it was just being replaced

    def _kill_server(self) -> None:
        function = self._chance.choice(self._functions)
        function.kill()
        function.start()

    def _freeze(self) -> None:
        """For longer than a message is waited for elsewhere, and then it goes on where it was."""
        function = self._chance.choice(self._functions)
        function.freeze()
        self._over.wait(self._chance.uniform(*FROZEN))
        function.thaw()

    def _partner(self) -> None:
        (mood,) = self._chance.choices(list(MOODS), [weight for weight, _ in MOODS.values()])
        self._harness.cloud.break_partner(*self._chance.sample(PARTNER, 2), *MOODS[mood][1])
        self.done[mood] += 1

    def _storage(self) -> None:
        match, action = self._chance.choice(STORAGE)
        self._harness.cloud.break_storage(match, action, skip=self._chance.randrange(4))

    def _warehouse(self) -> None:
        method, action, after = self._chance.choice(WAREHOUSE)
        self._harness.cloud.break_warehouse(method, action, after=after)

    def _gpg(self) -> None:
        action, after = self._chance.choice(GPG)
        self._harness.gpg.order(self._chance.choice(("--sign", "--encrypt", "--decrypt")), action, after)  # type: ignore[arg-type]

    def _topic(self) -> None:
        self._harness.cloud.break_topics({"match": "Publish", "action": self._chance.choice(("error", "lose"))})


@contextmanager
def random_faults(
    harness: FaultHarness, functions: Sequence[Function], chance: random.Random
) -> Iterator[RandomFaults]:
    """Faults while the block runs; none is left and everything is up afterwards."""
    made = RandomFaults(harness, functions, chance)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.stop()
        thread.join()
        harness.end_faults()
