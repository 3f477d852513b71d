"""What a delivered slot must look like: one sealed record, and its bytes, and no others, at the partner."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from localcloud.opened import decrypt, partner_home
from pipeline.window import Slot
from tests.chaos.sums import in_file, in_warehouse
from tests.faults.harness import FaultHarness


def records(harness: FaultHarness, slot: Slot) -> dict[str, dict[str, Any]]:
    """Every record of the slot by name, such as `r1/plan`."""
    prefix = f"deliveries/{slot.folder}/"
    blobs = harness.cloud.storage.list_blobs("records", prefix=prefix)
    return {
        blob.name.removeprefix(prefix).removesuffix(".json"): dict(json.loads(blob.download_as_bytes())["record"])
        for blob in blobs
    }


def files(harness: FaultHarness, slot: Slot) -> list[Path]:
    """Everything at the partner that is about the slot, temporary names included."""
    start = f"{slot.dataset}_{slot.window.start:%Y%m%dT%H%M%SZ}_"
    return sorted(path for path in harness.deployment.files.iterdir() if start in path.name)


def delivered(harness: FaultHarness, slot: Slot) -> Path:
    """Assert that the slot is delivered, once and as it is in the warehouse; the partner's file."""
    found = records(harness, slot)
    # an attempt that failed before may have left a record of how
    names = (name for name in found if not name.startswith(("r0/failed-", "r1/failed-")))
    kinds = {re.sub(r"(sending-1|delivered-1)-[0-9a-f]+$", r"\1", name) for name in names}
    assert kinds == {"r1/plan", "r1/sealed-1", "r1/sending-1", "r1/delivered-1"}, sorted(found)
    sealed = found["r1/sealed-1"]
    (file,) = files(harness, slot)
    assert file.name == sealed["file_name"]
    content = file.read_bytes()
    assert hashlib.sha256(content).hexdigest() == sealed["sealed"]["sha256"]
    archived = {one: _archived(harness, sealed[one]) for one in ("csv", "sealed")}
    assert archived["sealed"] == content
    with partner_home(harness.cloud.partner_key, harness.cloud.signing_key) as home:
        opened = decrypt(home, file, harness.cloud.signing_key.fingerprint)
    assert opened == archived["csv"]
    assert in_file(opened) == in_warehouse(harness.deployment, slot)
    return file


def settled(harness: FaultHarness, slot: Slot) -> bool:
    """Every attempt that began to send has ended well; else the same bytes are sent once more, to be sure."""
    found = records(harness, slot)
    began = {one["attempt"] for name, one in found.items() if "/sending-" in name}
    return began == {one["attempt"] for name, one in found.items() if "/delivered-" in name}


def _archived(harness: FaultHarness, described: dict[str, Any]) -> bytes:
    blob = harness.cloud.storage.bucket("archive").blob(described["name"], generation=described["generation"])
    content: bytes = blob.download_as_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (described["size"], described["sha256"])
    return content
