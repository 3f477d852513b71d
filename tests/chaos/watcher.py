"""A look at the partner's directory, many times a second: what anybody could have seen there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.chaos.repeating import repeating
from tests.chaos.sights import NAME, Seen

SECONDS: Final = 0.02


@contextmanager
def watching(directory: Path) -> Iterator[list[Seen]]:
    """Every content that stood under a final name while the block ran, and every absence of one that was there."""
    seen: list[Seen] = []
    known: dict[str, tuple[int, int]] = {}

    def look() -> None:
        paths = {path.name: path for path in directory.iterdir() if NAME.fullmatch(path.name)}
        for name in known.keys() - paths.keys():
            del known[name]
            seen.append(Seen(name, None, time.time()))
        for name, path in paths.items():
            try:
                status = path.stat()
                version = (status.st_ctime_ns, status.st_ino)
                if known.get(name) != version:
                    seen.append(Seen(name, path.read_bytes(), status.st_ctime_ns / 1e9))
                    known[name] = version
            except FileNotFoundError:
                continue  # replaced this very moment

    try:
        with repeating(look, SECONDS):
            yield seen
    finally:
        look()
