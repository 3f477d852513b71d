"""Whether certificates are true: what they certify, beside what the partner held at that moment and from then on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from pipeline.window import Slot
from tests.chaos.sights import Seen

GOOD: Final = ("certified", "empty")


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An announced upload of a part."""

    part: int
    at: float


def untrue(records: Mapping[str, dict[str, Any]], seen: Iterable[Seen], seconds: float) -> list[str]:
    """Certificates that say `certified` over a file that was absent, half or other, then or later.

    A later one is excused by an upload that was announced after the certificate's run, of `seconds` at most, began: of
    that the certificate could not know.
    """
    sights: dict[str, list[Seen]] = {}
    for one in sorted(seen, key=lambda sight: sight.at):
        sights.setdefault(one.name, []).append(one)
    problems = []
    for name, record in records.items():
        if "/certificate-" not in name or record["verdict"] != "certified":
            continue
        folder, at = name.rpartition("/")[0], datetime.fromisoformat(record["created"]).timestamp()
        attempts = [
            _Attempt(one["part"], datetime.fromisoformat(one["created"]).timestamp())
            for path, one in records.items()
            if path.startswith(f"{folder}/sending-")
        ]
        sealed_parts = [one for path, one in records.items() if path.startswith(f"{folder}/sealed-")]
        for file in record["files"]:
            (sealed,) = (one for one in sealed_parts if one["file_name"] == file)
            known = [one.at for one in attempts if one.part == sealed["part"] and one.at > at - seconds]
            for sight in _since(sights.get(file, []), file, at):
                if not _is_whole(sight, sealed) and not any(announced <= sight.at for announced in known):
                    held = "nothing" if sight.content is None else f"{len(sight.content)} bytes"
                    problems.append(f"{name} certifies {file}; the partner held {held} {sight.at - at:.1f} s after it")
    return problems


def unproven(records: Mapping[str, dict[str, Any]], slots: Iterable[Slot]) -> list[str]:
    """Slots whose last certificate is neither `certified` nor `empty`."""
    problems = []
    for slot in slots:
        found = {
            _numbers(name): record
            for name, record in records.items()
            if name.startswith(f"deliveries/{slot.folder}/r") and "/certificate-" in name
        }
        verdict = found[max(found)]["verdict"] if found else "not certified"
        if verdict not in GOOD:
            problems.append(f"{slot} is {verdict}: {found[max(found)]['problems'] if found else ''}")
    return problems


def _since(sights: list[Seen], name: str, at: float) -> list[Seen]:
    """What stood under the name at that moment, with its time, and everything that came after."""
    ends = [*(later.at for _, later in pairwise(sights)), float("inf")]
    held = [one for one, end in zip(sights, ends, strict=True) if end > at] if sights else []
    if not held or held[0].at > at:
        held.insert(0, Seen(name, None, at))
    return [one if one.at > at else Seen(name, one.content, at) for one in held]


def _is_whole(sight: Seen, sealed: Mapping[str, Any]) -> bool:
    return sight.content is not None and hashlib.sha256(sight.content).hexdigest() == sealed["sealed"]["sha256"]


def _numbers(name: str) -> tuple[int, int]:
    """Revision and number of a certificate's record."""
    folder, _, record = name.rpartition("/")
    return int(folder.rpartition("/r")[2]), int(record.removeprefix("certificate-").removesuffix(".json"))
