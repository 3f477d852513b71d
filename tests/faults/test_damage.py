"""A bit that turned after sealing, in whatever is kept, is found before the partner's server is even asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from localcloud.partner.faults import Fault
from localcloud.pubsub.message import Message
from pipeline.clients.storage import Bucket
from pipeline.errors import RecordDamaged
from pipeline.records.folder import SlotFolder
from pipeline.records.schema import Sealed
from pipeline.window import Slot
from tests.faults import proof
from tests.faults.harness import DATASET, FaultHarness
from tests.faults.push import asking_for, push
from tests.faults.table import FEW, MANY

PIECE: Final = 8 * 1024 * 1024


def sealed(harness: FaultHarness, rows: int) -> tuple[Slot, Message]:
    """An hour that is sealed and not sent: the partner was away."""
    slot = harness.slot(rows)
    pushed = asking_for(slot.window, DATASET)
    harness.cloud.break_partner(Fault("connect", "error"))
    assert not push(harness.function().url, pushed).acknowledges
    harness.end_faults()
    return slot, pushed


def flip(path: Path, offset: int) -> None:
    """Turn one bit of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def on_disk(harness: FaultHarness, bucket: str, name: str) -> Path:
    """The file in which the bucket keeps an object."""
    generation = harness.cloud.storage.bucket(bucket).get_blob(name).generation
    return harness.cloud.root / "buckets" / bucket / f"{generation}.data"


def overwrite(harness: FaultHarness, bucket: str, name: str, offset: int) -> None:
    """Turn one bit through the API, as somebody with the right to write could."""
    blob = harness.cloud.storage.bucket(bucket).blob(name)
    content = bytearray(blob.download_as_bytes())
    content[offset] ^= 1
    blob.upload_from_string(bytes(content))


def refused(harness: FaultHarness, slot: Slot, pushed: Message, code: str, *, checked: int = 0) -> None:
    """Assert that the message is rejected with this code, and that at most the `checked` first bytes have left.

    Such a beginning of the file may stay at the partner where an earlier attempt was announced, whose file it might be.
    """
    function = harness.function()
    harness.look()
    harness.deployment.rejected()
    assert push(function.url, pushed).acknowledges
    (rejected,) = [json.loads(one) for one in harness.deployment.rejected()]
    assert rejected["code"] == code
    assert "revise" in rejected["reason"]
    assert "archive.damaged" in harness.event_names()
    assert checked or harness.operations() == []
    assert all(0 < file.stat().st_size <= checked for file in proof.files(harness, slot))


def revised(harness: FaultHarness, slot: Slot) -> None:
    """Assert that `revise` is the way out that the reason names."""
    assert push(harness.function().url, asking_for(slot.window, DATASET, revise=True)).acknowledges
    assert [file for file in proof.files(harness, slot) if "_r2_" in file.name]


@pytest.mark.parametrize("turn", ["on the disk", "through the API"])
@pytest.mark.parametrize(
    ("kind", "offset"),
    [("csv", 5), ("csv", PIECE + 5), ("sealed", 5), ("sealed", PIECE + 5), ("sealed", 2 * PIECE + 5)],
)
def test_a_flipped_bit_in_an_archived_object_is_found(harness: FaultHarness, kind: str, offset: int, turn: str) -> None:
    slot, pushed = sealed(harness, MANY if offset > PIECE else FEW)
    name = proof.records(harness, slot)["r1/sealed-1"][kind]["name"]
    if turn == "on the disk":
        flip(on_disk(harness, "archive", name), offset)
    else:
        overwrite(harness, "archive", name, offset)
    begun = kind == "sealed" and offset > PIECE and turn == "on the disk"  # what the store describes is looked at first
    refused(harness, slot, pushed, "archive-damaged", checked=offset // PIECE * PIECE if begun else 0)
    revised(harness, slot)


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("what", ["plan", "sealed-1", "csv?", "pgp?"])
def test_a_single_bad_read_is_no_damage(harness: FaultHarness, what: str, status: int) -> None:
    slot, pushed = sealed(harness, FEW)
    action = "flip" if status == 200 else "error"
    harness.cloud.break_storage(
        f"GET .*{what.replace('?', '[?]')}.*alt=media" if "?" in what else f"GET .*{what}", action, status=404
    )
    assert push(harness.function().url, pushed).acknowledges
    assert harness.cloud.storage_struck()
    harness.end_faults()
    proof.delivered(harness, slot)


@pytest.mark.parametrize("turn", ["on the disk", "through the API"])
@pytest.mark.parametrize("record", ["r1/plan", "r1/sealed-1"])
def test_a_flipped_bit_in_a_record_is_found(harness: FaultHarness, record: str, turn: str) -> None:
    slot, pushed = sealed(harness, FEW)
    name = f"deliveries/{slot.folder}/{record}.json"
    if turn == "on the disk":
        flip(on_disk(harness, "records", name), 100)
    else:
        overwrite(harness, "records", name, 100)
    refused(harness, slot, pushed, "record-damaged")
    revised(harness, slot)


class Kept(Bucket):
    """A bucket of one object."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, name: str) -> bytes:
        return self.content

    read_again = read


def test_every_single_bit_of_a_record_matters(harness: FaultHarness) -> None:
    slot, _ = sealed(harness, FEW)
    content = (
        harness.cloud.storage.bucket("records").blob(f"deliveries/{slot.folder}/r1/sealed-1.json").download_as_bytes()
    )

    def opened(turned: bytes) -> Sealed | None:
        return SlotFolder(slot, {"r1/sealed-1": datetime.now(UTC)}, Kept(turned)).revision(1).sealed(1)

    assert opened(content) is not None
    for position in range(len(content) * 8):
        turned = bytearray(content)
        turned[position // 8] ^= 1 << position % 8
        with pytest.raises(RecordDamaged):
            opened(bytes(turned))
