"""One chaotic day: windows that arrive late, twice, at once, while everything breaks; then calm, and the audit."""

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
from tests.chaos.mischief import mischief
from tests.chaos.watcher import watching
from tests.faults.ground import Ground, ground
from tests.faults.traces import leftovers, threads, until

BUDGET: Final = 20
PART_ROWS: Final = 100
SIZES: Final = (0, 1, 7, 30, 60, 260)
PATIENCE: Final = 300.0
"""Seconds that a phase may take at most; a message that never ends is a defect too."""


@dataclass(frozen=True)
class Day:
    """What happened, and what the auditor says."""

    slots: int
    seconds: float
    pushes: int
    failed: int
    at_once: int
    mischief: Counter[str]
    refused: int
    audit: Audit


def run(seed: int, windows: int) -> Day:
    """Deliver `windows` windows (a dataset in an hour each) in chaos. Raises TimeoutError where it never ends."""
    chance = random.Random(seed)
    began = time.monotonic()
    with ground() as place, watching(place.local.files) as seen:
        slots = _slots(place, windows)
        _load(place, slots, chance)
        limits = {"MAX_PART_ROWS": str(PART_ROWS)}
        functions = [place.function(budget=BUDGET, name=name, workers=2, **limits) for name in ("-a", "-b")]
        deliverer = Deliverer([function.url for function in functions], chance).start()
        with _forwarding(place, deliverer):
            with mischief(place, functions, chance) as done:
                _first(place, slots, deliverer, chance)
                rotated = _rotate(place)
                _second(place, slots, deliverer, chance)
            for slot in slots:
                deliverer.publish(_asking([slot.dataset], slot.window))
            _wait(place, deliverer)
        until(lambda: not leftovers(place))
        left = [*leftovers(place), *threads(place.lines())]
        partner_keys = [place.local.partner_key, rotated]
        found = audit(place.local, slots, partner_keys, seen=seen, left=left)
        figures = (deliverer.pushes, deliverer.failed, deliverer.at_once)
        refused = len(place.local.rejected())
    return Day(len(slots), time.monotonic() - began, *figures, done.done, refused, found)


def _slots(place: Ground, windows: int) -> list[Slot]:
    names = sorted(place.local.datasets)
    hours = [Window.hour(place.end - (number + 1) * HOUR) for number in range(-(-windows // len(names)))]
    return [Slot(name, hour) for hour in hours for name in names][:windows]


def _load(place: Ground, slots: Sequence[Slot], chance: random.Random, seed: int = 0) -> None:
    """Rows for the slots; nothing says yet that they are complete."""
    for slot in slots:
        dataset = place.local.datasets[slot.dataset]
        if rows := chance.choice(SIZES):
            place.local.tables.load(dataset.table, sampledata.rows(dataset, slot.window, rows, seed=seed))


def _asking(datasets: Sequence[str], window: Window, **flags: bool) -> bytes:
    bounds = {"start": rfc3339(window.start), "end": rfc3339(window.end)}
    return json.dumps({"window": bounds, "datasets": list(datasets), **flags}).encode()


def _first(place: Ground, slots: Sequence[Slot], deliverer: Deliverer, chance: random.Random) -> None:
    """Every slot, by messages of its own, of its hour, or of three hours; the watermark comes after them in steps."""
    earliest = min(slot.window.start for slot in slots)
    names = sorted(place.local.datasets)
    for slot in chance.sample(list(slots), len(slots)):
        delay = chance.uniform(0, len(slots) / 10)
        deliverer.publish(_asking([slot.dataset], slot.window), delay)
        if chance.random() < 0.1:
            end = min(slot.window.start + 3 * HOUR, place.end)
            deliverer.publish(_asking(names, Window(max(earliest, end - 3 * HOUR), end)), delay)
    steps = sorted(chance.sample(range(1, 100), 3))
    for step in (*steps, 100):
        for name in names:
            hours = (place.end - earliest) * step // 100 // HOUR + (step == 100)
            place.local.tables.complete([name], min(place.end, earliest + timedelta(hours=hours)))
        threading.Event().wait(len(slots) / 60)
    _wait(place, deliverer)


def _rotate(place: Ground) -> keys.PgpKey:
    """The partner has a new key."""
    with keys.gnupg_home() as home:
        made = keys.pgp_key(home, "Partner <partner@example.com>")
    place.local.add_secret("pgp-partner-key", made.public)
    return made


def _second(place: Ground, slots: Sequence[Slot], deliverer: Deliverer, chance: random.Random) -> None:
    """Late rows with their revisions, files sent again, and people who publish what was published long ago."""
    some = chance.sample(list(slots), max(3, len(slots) // 4))
    late, again, once_more = some[0::3], some[1::3], some[2::3]
    _load(place, late, chance, seed=1)
    wishes: list[tuple[Iterable[Slot], dict[str, bool]]] = [
        (late, {"revise": True}),
        (again, {"resend": True}),
        (once_more, {}),
    ]
    for chosen, flags in wishes:
        for slot in chosen:
            deliverer.publish(_asking([slot.dataset], slot.window, **flags), chance.uniform(0, len(slots) / 40))
    _wait(place, deliverer)


@contextmanager
def _forwarding(place: Ground, deliverer: Deliverer) -> Iterator[None]:
    """What the functions publish comes back as messages, for as long as the block runs."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.1):
            for data in place.published():
                deliverer.publish(data)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _wait(place: Ground, deliverer: Deliverer) -> None:
    """Until nothing is left to deliver, twice in a row: what was published last may just be coming back."""

    def calm() -> bool:
        before = deliverer.pushes
        return deliverer.idle and not threading.Event().wait(0.5) and deliverer.idle and deliverer.pushes == before

    if not until(calm, PATIENCE):
        last: list[dict[str, Any]] = place.events()[-20:]
        raise TimeoutError(f"messages that are never acknowledged: {last}")
