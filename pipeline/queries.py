"""The SQL that is sent to the warehouse: pure text from a contract, one place for the rules of time and partition.

Every read of rows names the same snapshot (`FOR SYSTEM_TIME AS OF`) and the half-open window over the contract's
change column, so that a count and an extract, an hour apart, speak of the same rows.
"""

from __future__ import annotations

from datetime import datetime

from pipeline.dataset import Dataset

FINGERPRINT_DIGITS = 15
"""Hex digits of an MD5 that fit a positive INT64: 60 bits a row, summed exactly as NUMERIC for up to 10^10 rows."""


def readiness(dataset: Dataset, warehouse: str) -> str:
    """How far the dataset is complete (null: not at all) and the warehouse's own time, which may be a snapshot."""
    if dataset.watermark is None:
        return "SELECT CURRENT_TIMESTAMP() AS complete_until, CURRENT_TIMESTAMP() AS snapshot"
    return (
        "SELECT MAX(complete_until) AS complete_until, CURRENT_TIMESTAMP() AS snapshot "
        f"FROM `{warehouse}.{dataset.watermark}` WHERE dataset = @dataset"
    )


def totals(dataset: Dataset, warehouse: str, snapshot: datetime, parts: int) -> str:
    """Rows, distinct keys, estimated bytes, fingerprint and control totals, a row for each part that has rows.

    The fingerprint is the sum over all rows of a hash of every shared column, so it does not depend on order, notices
    a change of any value, and duplicates do not cancel out.
    """
    sources = [_quoted(dataset.column(total.column).source) for total in dataset.totals]
    sums = "".join(
        f", {total.function.upper()}({source}) AS total_{number}"
        for number, (total, source) in enumerate(zip(dataset.totals, sources, strict=True))
    )
    inner = ", ".join(
        dict.fromkeys([f"{_row(dataset)} AS row_json", f"{_key(dataset)} AS row_key", *sorted(set(sources))])
    )
    return (
        f"SELECT {_bucket('row_key', parts)} AS part, COUNT(*) AS row_count, COUNT(DISTINCT row_key) AS key_count, "
        f"SUM(LENGTH(row_json)) AS byte_count, SUM(CAST({_number('row_json')} AS NUMERIC)) AS fingerprint{sums} "
        f"FROM (SELECT {inner} FROM {_rows(dataset, warehouse, snapshot)}) GROUP BY part ORDER BY part"
    )


def extract(dataset: Dataset, warehouse: str, snapshot: datetime, part: int, parts: int) -> str:
    """The rows of one part, the shared columns under the file's names, in no particular order."""
    columns = ", ".join(f"{_quoted(column.source)} AS {_quoted(column.name)}" for column in dataset.columns)
    condition = f" AND {_bucket(_key(dataset), parts)} = {part}" if parts > 1 else ""
    return f"SELECT {columns} FROM {_rows(dataset, warehouse, snapshot)}{condition}"


def hours(dataset: Dataset, warehouse: str, snapshot: datetime) -> str:
    """Rows and fingerprint of each hour between @start and @end at the snapshot: one look over many hours."""
    change = _quoted(dataset.column(dataset.change).source)
    return (
        f"SELECT TIMESTAMP_TRUNC({change}, HOUR) AS hour, COUNT(*) AS row_count, "
        f"SUM(CAST({_number(_row(dataset))} AS NUMERIC)) AS fingerprint "
        f"FROM {_rows(dataset, warehouse, snapshot)} GROUP BY hour ORDER BY hour"
    )


def hashes(dataset: Dataset, warehouse: str, snapshot: datetime) -> str:
    """A hash of the key and one of the whole row, for every row of the window at the snapshot."""
    return (
        f"SELECT {_number(_key(dataset))} AS key_hash, {_number(_row(dataset))} AS row_hash "
        f"FROM {_rows(dataset, warehouse, snapshot)}"
    )


def moved_on(dataset: Dataset, warehouse: str) -> str:
    """How many of the keys in @hashes are still in the table, but in a later window or not in the subset any more."""
    change = _quoted(dataset.column(dataset.change).source)
    return (
        f"SELECT COUNT(*) AS row_count FROM `{warehouse}.{dataset.table}` "
        f"WHERE {change} >= @start AND NOT ({_condition(dataset)}) AND {_number(_key(dataset))} IN UNNEST(@hashes)"
    )


def _rows(dataset: Dataset, warehouse: str, snapshot: datetime) -> str:
    instant = snapshot.strftime("%Y-%m-%d %H:%M:%S.%f+00:00")
    return f"`{warehouse}.{dataset.table}` FOR SYSTEM_TIME AS OF TIMESTAMP '{instant}' WHERE {_condition(dataset)}"


def _condition(dataset: Dataset) -> str:
    change = _quoted(dataset.column(dataset.change).source)
    subset = f" AND ({dataset.filter})" if dataset.filter else ""
    return f"{change} >= @start AND {change} < @end{subset}"


def _row(dataset: Dataset) -> str:
    return f"TO_JSON_STRING(STRUCT({', '.join(_quoted(column.source) for column in dataset.columns)}))"


def _key(dataset: Dataset) -> str:
    return f"TO_JSON_STRING(STRUCT({', '.join(_quoted(dataset.column(name).source) for name in dataset.key)}))"


def _number(text: str) -> str:
    return f"CAST(CONCAT('0x', SUBSTR(TO_HEX(MD5({text})), 1, {FINGERPRINT_DIGITS})) AS INT64)"


def _bucket(key: str, parts: int) -> str:
    return f"MOD({_number(key)}, {parts}) + 1" if parts > 1 else "1"


def _quoted(name: str) -> str:
    return f"`{name}`"
