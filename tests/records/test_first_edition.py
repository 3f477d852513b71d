"""Records that version 0.1.0 wrote, kept as it wrote them, are read by this one, value by value.

`first_edition` is a copy of a records bucket after a delivery that was resent, one in four parts, one that was refused,
an empty hour and two returned files, all carried out by the code of 0.1.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pipeline.records.folder import SlotFolder
from pipeline.records.schema import Record
from pipeline.records.store import Records
from pipeline.window import Delivery
from tests.deployment import InProcessDeployment

KEPT: Final = Path(__file__).parent / "first_edition"
PATHS: Final = sorted(str(path.relative_to(KEPT)) for path in KEPT.rglob("*.json"))


@pytest.fixture
def records(deployment: InProcessDeployment) -> Records:
    """A records bucket with all of them."""
    bucket = deployment.cloud.storage.bucket(deployment.records_bucket)
    for path in PATHS:
        bucket.blob(path).upload_from_filename(str(KEPT / path))
    return deployment.within().records


def folders(records: Records) -> Iterator[SlotFolder]:
    """The folder of each slot that is kept."""
    deliveries = {Delivery.of_path(path.removeprefix("deliveries/")) for path in PATHS}
    yield from (records.folder(delivery.slot) for delivery in deliveries if delivery is not None)


def kept(path: str) -> dict[str, Any]:
    """The fields of a record as they stand in its file."""
    fields: dict[str, Any] = json.loads((KEPT / path).read_text(encoding="utf-8"))["record"]
    return fields


def says_at_least(record: Record, fields: dict[str, Any]) -> bool:
    """Whether the record has every field of the file with its value, and nothing else but fields that are unset."""
    now = record.model_dump(mode="json")
    return _within(fields, now)


def _within(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return all(name in new and _within(value, new[name]) for name, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_within, old, new))
    return bool(old == new)


def test_every_record_is_read_with_every_value_that_it_had(records: Records) -> None:
    seen = 0
    for folder in folders(records):
        for entry in folder.entries():
            assert entry.record is not None, f"{entry.name}: {entry.damage}"
            assert says_at_least(entry.record, kept(f"deliveries/{folder.slot.folder}/{entry.name}.json"))
            seen += 1
    assert seen == sum(path.startswith("deliveries/") for path in PATHS)


def test_the_typed_reads_find_plans_parts_deliveries_refusals_and_certificates(records: Records) -> None:
    by_parts = {}
    for folder in folders(records):
        latest = folder.latest
        plan = latest.plan()
        assert plan is not None
        by_parts[len(plan.parts), latest.is_refused] = latest
    single, many, empty = by_parts[1, False], by_parts[4, False], by_parts[0, False]
    assert [delivered.cause for delivered in single.deliveries(1)] != []
    assert len(single.deliveries(1)) == len(single.attempts(1)) == 2
    assert many.sealed_parts == many.delivered_parts == {1, 2, 3, 4}
    sealed = many.sealed(3)
    assert sealed is not None
    assert sealed.opened is not None
    assert sealed.opened.sha256 == sealed.csv.sha256
    certificates = [folder.certificate() for folder in (single, many, empty)]
    assert [certificate and certificate.verdict for certificate in certificates] == ["certified", "certified", "empty"]
    refusal = by_parts[1, True].refusal()
    assert refusal is not None
    assert refusal.rules[0].column == "currency"


def test_returned_files_are_known_and_not_collected_again(records: Records) -> None:
    folder = records.returns()
    returned = folder.records(lambda _: True)
    assert sorted(record.error for record in returned) == [False, True]
    assert {record.outcome for record in returned} == {"collected"}
    assert all(folder.has(record.file_name, record.size, record.modified, "collected") for record in returned)
