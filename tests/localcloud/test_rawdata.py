"""The generator of raw rows."""

from __future__ import annotations

from localcloud.rawdata import TABLES, raw_rows


def test_the_same_seed_and_hour_give_the_same_rows() -> None:
    first, again = (raw_rows(3, 1, 100) for _ in range(2))
    assert list(first) == list(TABLES)
    assert all(first[table].equals(again[table]) for table in TABLES)
    assert not first["ledger.transactions"].equals(raw_rows(4, 1, 100)["ledger.transactions"])


def test_raw_rows_come_twice_and_older_versions_come_after_newer_ones() -> None:
    orders = raw_rows(3, 1, 400)["ledger.payments"].sort("_loaded_at").select("payment_id", "version")
    assert orders.is_duplicated().any()
    assert any((group["version"].diff() < 0).any() for _, group in orders.group_by("payment_id"))
