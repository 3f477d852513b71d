"""Something that is done again and again in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(step: Callable[[], None], pause: float) -> Iterator[None]:
    """Do a step every `pause` seconds, in a thread, for as long as the block runs."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(pause):
            step()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
