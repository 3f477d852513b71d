"""One chaotic day: windows that arrive late, twice, at once, while everything breaks, and are certified meanwhile.

Then calm, hours that pass, certificates, and the audit.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from localcloud import keys, sampledata
from pipeline.window import HOUR, Slot, Window, rfc3339
from tests.chaos.auditor import Audit, audit
from tests.chaos.deliverer import Deliverer
from tests.chaos.random_faults import random_faults
from tests.chaos.repeating import repeating
from tests.chaos.watcher import watching
from tests.faults.harness import FaultHarness, fault_harness
from tests.faults.traces import leftovers, threads, until

BUDGET: Final = 20
PAUSE: Final = 0.1
"""Seconds between two looks at what is to be certified or forwarded."""

PART_ROWS: Final = 100
SIZES: Final = (0, 1, 7, 30, 60, 260)
PATIENCE: Final = 900.0
"""Seconds that a phase may take at most; a message that never ends is a defect too."""

LATE: Final = 1800.0
"""Seconds after which the partner would store what a dropped session left; it is stored when we say, and not before."""

CERTIFY_EVERY: Final = 60
"""Pushes after which another hour is certified: many more than come of it, so that the work ends."""

SETTLED: Final = timedelta(hours=2, minutes=6)
"""After so long an attempt that was announced has ended, and its part is stored."""

PROVEN_AT_ONCE: Final = 6
"""Hours of one message that certifies in the end."""


@dataclass(frozen=True)
class Day:
    """What happened, and what the auditor says."""

    slots: int
    seconds: float
    pushes: int
    failed: int
    at_once: int
    faults: Counter[str]
    refused: int
    audit: Audit


def run(seed: int, windows: int) -> Day:
    """Deliver `windows` windows (a dataset in an hour each) in chaos. Raises TimeoutError where it never ends."""
    chance = random.Random(seed)
    began = time.monotonic()
    with fault_harness() as harness, watching(harness.deployment.files) as seen:
        harness.cloud.start_partner("aws", "--late-parts", str(LATE))
        slots = _slots(harness, windows)
        _load(harness, slots, chance)
        limits = {"MAX_PART_ROWS": str(PART_ROWS)}
        functions = [harness.function(budget=BUDGET, name=name, workers=2, **limits) for name in ("-a", "-b")]
        deliverer = Deliverer([function.url for function in functions], chance).start()
        with _forwarding(harness, deliverer):
            with random_faults(harness, functions, chance) as done, _certifying(slots, deliverer, chance):
                _first(harness, slots, deliverer, chance)
                _hours_pass(harness)
                rotated = _rotate(harness)
                _second(harness, slots, deliverer, chance)
            for slot in slots:
                deliverer.publish(_asking([slot.dataset], slot.window))
            _wait(harness, deliverer)
            _prove(harness, slots, deliverer)
        until(lambda: not leftovers(harness))
        left = [*leftovers(harness), *threads(harness.lines())]
        partner_keys = [harness.cloud.partner_key, rotated]
        found = audit(harness.deployment, slots, partner_keys, seen=seen, left=left, certified_within=BUDGET)
        figures = (deliverer.pushes, deliverer.failed, deliverer.at_once)
        refused = len(harness.deployment.rejected())
    return Day(len(slots), time.monotonic() - began, *figures, done.done, refused, found)


def _slots(harness: FaultHarness, windows: int) -> list[Slot]:
    names = sorted(harness.deployment.datasets)
    hours = [Window.hour(harness.end - (number + 1) * HOUR) for number in range(-(-windows // len(names)))]
    return [Slot(name, hour) for hour in hours for name in names][:windows]


def _load(harness: FaultHarness, slots: Sequence[Slot], chance: random.Random, seed: int = 0) -> None:
    """Rows for the slots; nothing says yet that they are complete."""
    for slot in slots:
        dataset = harness.deployment.datasets[slot.dataset]
        if rows := chance.choice(SIZES):
            harness.deployment.tables.load(dataset.table, sampledata.rows(dataset, slot.window, rows, seed=seed))


def _asking(datasets: Sequence[str], window: Window, **flags: bool | str) -> bytes:
    bounds = {"start": rfc3339(window.start), "end": rfc3339(window.end)}
    return json.dumps({"window": bounds, "datasets": list(datasets), **flags}).encode()


def _first(harness: FaultHarness, slots: Sequence[Slot], deliverer: Deliverer, chance: random.Random) -> None:
    """Every slot, by messages of its own, of its hour, or of three hours; the watermark comes after them in steps."""
    earliest = min(slot.window.start for slot in slots)
    names = sorted(harness.deployment.datasets)
    for slot in chance.sample(list(slots), len(slots)):
        delay = chance.uniform(0, len(slots) / 10)
        deliverer.publish(_asking([slot.dataset], slot.window), delay)
        if chance.random() < 0.1:
            end = min(slot.window.start + 3 * HOUR, harness.end)
            deliverer.publish(_asking(names, Window(max(earliest, end - 3 * HOUR), end)), delay)
    steps = sorted(chance.sample(range(1, 100), 3))
    for step in (*steps, 100):
        for name in names:
            hours = (harness.end - earliest) * step // 100 // HOUR + (step == 100)
            harness.deployment.tables.complete([name], min(harness.end, earliest + timedelta(hours=hours)))
        threading.Event().wait(len(slots) / 60)
    _wait(harness, deliverer)


def _rotate(harness: FaultHarness) -> keys.PgpKey:
    """The partner has a new key."""
    with keys.gnupg_home() as home:
        made = keys.pgp_key(home, "Partner <partner@example.com>")
    harness.cloud.add_secret("pgp-partner-key", made.public)
    return made


def _second(harness: FaultHarness, slots: Sequence[Slot], deliverer: Deliverer, chance: random.Random) -> None:
    """Late rows with their revisions, files sent again, and people who publish what was published long ago."""
    some = chance.sample(list(slots), max(3, len(slots) // 4))
    late, again, once_more = some[0::3], some[1::3], some[2::3]
    _load(harness, late, chance, seed=1)
    wishes: list[tuple[Iterable[Slot], dict[str, bool]]] = [
        (late, {"revise": True}),
        (again, {"resend": True}),
        (once_more, {}),
    ]
    for chosen, flags in wishes:
        for slot in chosen:
            deliverer.publish(_asking([slot.dataset], slot.window, **flags), chance.uniform(0, len(slots) / 40))
    _wait(harness, deliverer)


@contextmanager
def _certifying(slots: Sequence[Slot], deliverer: Deliverer, chance: random.Random) -> Iterator[None]:
    """Certify some hour again and again, as the work goes on, for as long as the block runs."""
    hours, names = sorted({slot.window for slot in slots}), sorted({slot.dataset for slot in slots})
    asked_at = 0

    def ask() -> None:
        nonlocal asked_at
        if deliverer.pushes >= asked_at + CERTIFY_EVERY:
            asked_at = deliverer.pushes
            deliverer.publish(_asking(names, chance.choice(hours), action="certify"))

    with repeating(ask, PAUSE):
        yield


def _hours_pass(harness: FaultHarness) -> None:
    """The partner stores what dropped sessions left, and every attempt until now is over."""
    harness.cloud.store_late_parts()
    if not until(lambda: not any(harness.cloud.incoming.iterdir())):
        raise TimeoutError("sessions of attempts that are over are still open at the partner")
    harness.cloud.age("records/.*/(sending|delivered)-", SETTLED.total_seconds())


def _prove(harness: FaultHarness, slots: Sequence[Slot], deliverer: Deliverer) -> None:
    """Certify every hour, hours later again, and once more: nothing is unsettled any more."""
    hours, names = sorted({slot.window for slot in slots}), sorted({slot.dataset for slot in slots})
    for later in (False, True, False):
        if later:
            _hours_pass(harness)
        else:
            harness.cloud.store_late_parts()
        for number in range(0, len(hours), PROVEN_AT_ONCE):
            some = hours[number : number + PROVEN_AT_ONCE]
            deliverer.publish(_asking(names, Window(some[0].start, some[-1].end), action="certify"))
        _wait(harness, deliverer)


@contextmanager
def _forwarding(harness: FaultHarness, deliverer: Deliverer) -> Iterator[None]:
    """What the functions publish comes back as messages, for as long as the block runs."""

    def forward() -> None:
        for data in harness.deployment.published():
            deliverer.publish(data)

    with repeating(forward, PAUSE):
        yield


def _wait(harness: FaultHarness, deliverer: Deliverer) -> None:
    """Until nothing is left to deliver, twice in a row: what was published last may just be coming back."""

    def calm() -> bool:
        before = deliverer.pushes
        return deliverer.idle and not threading.Event().wait(0.5) and deliverer.idle and deliverer.pushes == before

    if not until(calm, PATIENCE):
        last: list[dict[str, Any]] = harness.events()[-20:]
        raise TimeoutError(f"messages that are never acknowledged: {last}")
