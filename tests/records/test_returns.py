"""What became of a returned file is recorded once, and known from one listing."""

from __future__ import annotations

from pipeline.clients.storage import StoredObject
from pipeline.records.schema import Outcome, Returned
from pipeline.records.store import Records
from tests.records.test_store import records

__all__ = ["records"]


def returned(name: str, outcome: Outcome = "collected") -> Returned:
    """A record of that name."""
    kept = StoredObject("returns/x", 1, 4, "AAAAAA==", "0" * 64) if outcome == "collected" else None
    return Returned(
        file_name=name,
        size=4,
        modified=7,
        archived=kept,
        opened=None,
        signature="not encrypted",
        error=False,
        dataset=None,
        start=None,
        revision=None,
        outcome=outcome,
        problem=None if kept else "It is too large.",
    )


def test_a_file_is_known_by_name_size_time_and_outcome(records: Records) -> None:
    before = records.returns()
    assert before.add(returned("a.txt"))
    assert before.add(returned("b.txt", "failed"))
    assert not before.has("a.txt", 4, 7, "collected")
    after = records.returns()
    assert after.has("a.txt", 4, 7, "collected")
    assert after.has("b.txt", 4, 7, "skipped", "failed")
    assert not after.has("b.txt", 4, 7, "collected", "skipped")
    assert not after.has("a.txt", 5, 7, "collected")
    assert not after.has("a.txt", 4, 8, "collected")


def test_the_first_record_of_a_file_stays_and_a_failure_gives_way_to_success(records: Records) -> None:
    folder = records.returns()
    first = returned("a.txt", "failed")
    assert folder.add(first)
    assert folder.add(first), "a lost answer to our own record is no defeat"
    assert not folder.add(returned("a.txt", "failed"))
    assert folder.add(returned("a.txt"))
    found = records.returns().records(lambda name: name == "a.txt")
    assert [record.outcome for record in found] == ["failed", "collected"]
    assert found[0] == first
