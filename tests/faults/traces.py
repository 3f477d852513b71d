"""What a run must not leave: processes, threads, key directories, temporary files, and clear text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import psutil

from pipeline.window import Slot
from tests.faults.harness import FaultHarness

PATIENCE: Final = 15.0
"""Seconds until what was killed must be cleaned up by those who were not."""

T = TypeVar("T")


def until(question: Callable[[], T], seconds: float = PATIENCE) -> T:
    """The first answer that is true, or the last one."""
    end = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(0.02)
    return answer


def nothing_left(harness: FaultHarness, slot: Slot) -> None:
    """Assert that no trace of a run is there any more, or soon."""
    until(lambda: not leftovers(harness))
    left = leftovers(harness)
    assert not left, f"left behind: {left}"
    clear = [path for path in _files(harness) if _mark(slot) in path.read_bytes()]
    assert not clear, f"clear text: {clear}"


def leftovers(harness: FaultHarness) -> list[str]:
    """Processes, temporary files and half-open uploads that are there at this moment."""
    places = (harness.temporary, harness.cloud.incoming)
    return [*_processes(harness), *(str(path) for harness in places for path in harness.iterdir())]


def threads(lines: list[str]) -> list[str]:
    """The threads that were left after each message, as `observed` logged them."""
    found = [json.loads(line)["threads"] for line in lines if line.startswith('{"threads"')]
    return [name for names in found for name in names]


def _processes(harness: FaultHarness) -> list[str]:
    """Programs that a function started and that still run, and any that was given its temporary directory."""
    servers = {one.process.pid for one in harness.functions.values() if one.process is not None}
    found = []
    for one in psutil.process_iter(["pid", "cmdline"]):
        line = " ".join(one.info["cmdline"] or ())
        ours = _descends(one, servers) and "served.py" not in line
        if ours or str(harness.temporary) in line:
            found.append(line or f"process {one.info['pid']}")
    return found


def _descends(process: psutil.Process, ancestors: set[int]) -> bool:
    try:
        return any(parent.pid in ancestors for parent in process.parents())
    except psutil.NoSuchProcess:
        return False


def _files(harness: FaultHarness) -> Iterator[Path]:
    """Every file of this cloud but those of the warehouse and of the archive, whose clear text is meant to be there."""
    root = harness.cloud.root
    meant = (root / "buckets" / "archive", root / "buckets" / ".uploads")
    for path in root.rglob("*"):
        if path.is_file() and not any(path.is_relative_to(harness) for harness in meant):
            yield path


def _mark(slot: Slot) -> bytes:
    """What every key of the slot's rows begins with; see localcloud/sampledata.py."""
    return f"{slot.dataset[:3]}-{slot.window.start:%y%m%d%H}-".encode()
