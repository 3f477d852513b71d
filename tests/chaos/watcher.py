"""A look at the partner's directory, many times a second: what anybody could have seen there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.chaos.auditor import NAME, Seen

SECONDS: Final = 0.02


@contextmanager
def watching(directory: Path) -> Iterator[set[Seen]]:
    """Every content that stood under a final name while the block ran."""
    seen: set[Seen] = set()
    known: dict[str, tuple[int, int]] = {}
    over = threading.Event()

    def look() -> None:
        for path in directory.iterdir():
            try:
                status = path.stat()
                version = (status.st_mtime_ns, status.st_ino)
                if NAME.fullmatch(path.name) and known.get(path.name) != version:
                    seen.add(Seen(path.name, path.read_bytes()))
                    known[path.name] = version
            except FileNotFoundError:
                continue  # replaced this very moment

    def work() -> None:
        while not over.wait(SECONDS):
            look()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        look()
