"""The SQL that is sent to the warehouse: pure text from a contract, one place for the rules of time and partition.

Every read of rows names the same snapshot (`FOR SYSTEM_TIME AS OF`) and the half-open window over the contract's
change column, so that a count and an extract, an hour apart, speak of the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from pipeline.contracts.dataset import Column, Dataset, Total, Type
from pipeline.window import Window

USUAL_BYTES: Final[Mapping[Type, int]] = {
    "INT64": 8,
    "NUMERIC": 10,
    "BIGNUMERIC": 20,
    "BOOL": 5,
    "DATE": 10,
    "TIMESTAMP": 27,
}
"""What a value of the type takes in the file, or about that; texts are measured."""


FILTER: Final = "filter_of_the_contract"
QUARANTINE: Final = "quarantine"
"""The table of rows that wait, which dbt writes; a warehouse may have none."""
SQL_TYPES: Final = {"INTEGER": "INT64", "BOOLEAN": "BOOL", "FLOAT": "FLOAT64"}
"""Names of the REST API whose SQL name is another."""


def types(dataset: Dataset, warehouse: str) -> str:
    """The columns and the filter as they stand in the table, for a dry run."""
    columns = "".join(f", {_quoted(column.source)} AS {_quoted(column.name)}" for column in dataset.columns)
    return f"SELECT ({dataset.filter or 'TRUE'}) AS {FILTER}{columns} FROM `{warehouse}.{dataset.table}`"


def readiness(dataset: Dataset, warehouse: str) -> str:
    """How far the dataset is complete (null: not at all) and the warehouse's own time, which may be a snapshot."""
    if dataset.watermark is None:
        return "SELECT CURRENT_TIMESTAMP() AS complete_until, CURRENT_TIMESTAMP() AS snapshot"
    return (
        "SELECT MAX(complete_until) AS complete_until, CURRENT_TIMESTAMP() AS snapshot "
        f"FROM `{warehouse}.{dataset.watermark}` WHERE dataset = @dataset"
    )


def waiting(warehouse: str) -> str:
    """How many rows of each dataset wait, and since the end of which hour."""
    return f"SELECT dataset, row_count, waiting_since FROM `{warehouse}.{QUARANTINE}`"


def look(dataset: Dataset, warehouse: str) -> str:
    """How far the dataset is complete, the warehouse's own time, and the window's totals at that very time: one row.

    CURRENT_TIMESTAMP() is one instant throughout a statement
    (https://cloud.google.com/bigquery/docs/reference/standard-sql/timestamp_functions#current_timestamp). The watermark
    is read at it too: a later one could be of rows that the totals do not hold.
    """
    complete = "SELECT CURRENT_TIMESTAMP() AS complete_until, CURRENT_TIMESTAMP() AS snapshot"
    if dataset.watermark is not None:
        complete = (
            "SELECT MAX(complete_until) AS complete_until, CURRENT_TIMESTAMP() AS snapshot "
            f"FROM `{warehouse}.{dataset.watermark}` {_as_of(None)} WHERE dataset = @dataset"
        )
    counted = f"SELECT 1 AS part, {_figures(dataset)} FROM {_rows(dataset, warehouse, None)}"
    return f"SELECT * FROM ({complete}) AS ready CROSS JOIN ({counted}) AS counted"


def totals(dataset: Dataset, warehouse: str, snapshot: datetime, parts: int) -> str:
    """Rows, distinct keys, estimated bytes, fingerprint and control totals, a row for each part that has rows.

    The fingerprint is the sum over all rows of a hash of every shared column, so it does not depend on order, notices
    a change of any value, and duplicates do not cancel out. 64 bits a row are summed exactly by NUMERIC, up to 10^10
    rows.
    """
    return (
        f"SELECT {_bucket(dataset, parts)} AS part, {_figures(dataset)} "
        f"FROM {_rows(dataset, warehouse, snapshot)} GROUP BY 1 ORDER BY 1"
    )


def _figures(dataset: Dataset) -> str:
    sums = "".join(f", {_total(total, dataset)} AS total_{number}" for number, total in enumerate(dataset.totals))
    return (
        f"COUNT(*) AS row_count, COUNT(DISTINCT {_key(dataset)}) AS key_count, SUM({_bytes(dataset)}) AS byte_count, "
        f"{_fingerprint(dataset)}, {_changed(dataset)}{sums}"
    )


def _fingerprint(dataset: Dataset) -> str:
    return f"SUM(CAST({_hash(_row(dataset))} AS NUMERIC)) AS fingerprint"


def _changed(dataset: Dataset) -> str:
    return f"SUM(CAST(UNIX_MICROS({_change(dataset)}) AS NUMERIC)) AS change_total"


def _total(total: Total, dataset: Dataset) -> str:
    """A control total; whole numbers are summed as NUMERIC, as a sum of INT64 may overflow."""
    column = dataset.column(total.column)
    summed = total.function == "sum" and column.type == "INT64"
    value = f"CAST({_quoted(column.source)} AS NUMERIC)" if summed else _quoted(column.source)
    return f"{total.function.upper()}({value})"


def extract(dataset: Dataset, warehouse: str, snapshot: datetime, part: int, parts: int) -> str:
    """The rows of one part, the shared columns under the file's names, in no particular order."""
    columns = ", ".join(f"{_quoted(column.source)} AS {_quoted(column.name)}" for column in dataset.columns)
    condition = f" AND {_bucket(dataset, parts)} = {part}" if parts > 1 else ""
    return f"SELECT {columns} FROM {_rows(dataset, warehouse, snapshot)}{condition}"


def restriction(dataset: Dataset, window: Window) -> str:
    """The condition of `extract` for a read of the table itself, which takes no parameters."""
    return _condition(dataset, _timestamp(window.start), _timestamp(window.end))


def hours(dataset: Dataset, warehouse: str, snapshot: datetime, windows: Sequence[Window] = ()) -> str:
    """What `hour_totals` gives, and the fingerprint of each hour: a look at all columns."""
    return _by_hour(dataset, warehouse, snapshot, windows, f", {_fingerprint(dataset)}")


def hour_totals(dataset: Dataset, warehouse: str, snapshot: datetime, windows: Sequence[Window] = ()) -> str:
    """Rows of each hour between @start and @end and the sum of their times of change: a look at one column.

    A row that comes, goes or changes again shows in them; a value that was altered without a new time does not. Where
    `windows` are given, hours between them are not read.
    """
    return _by_hour(dataset, warehouse, snapshot, windows)


def _by_hour(dataset: Dataset, warehouse: str, snapshot: datetime, windows: Sequence[Window], more: str = "") -> str:
    return (
        f"SELECT TIMESTAMP_TRUNC({_change(dataset)}, HOUR) AS hour, COUNT(*) AS row_count, {_changed(dataset)}{more} "
        f"FROM {_rows(dataset, warehouse, snapshot)}{_among(dataset, windows)} GROUP BY hour ORDER BY hour"
    )


def _among(dataset: Dataset, windows: Sequence[Window]) -> str:
    """The condition that a row lies in one of several windows, in constants: partitions between them are left out."""
    if len(windows) < 2:
        return ""
    change = _change(dataset)
    each = (f"{change} >= {_timestamp(one.start)} AND {change} < {_timestamp(one.end)}" for one in windows)
    return f" AND ({' OR '.join(f'({one})' for one in each)})"


def hashes(dataset: Dataset, warehouse: str, snapshot: datetime) -> str:
    """A hash of the row by the hash of its key, for every key of the window at the snapshot."""
    return (
        f"SELECT {_hash(_key(dataset))} AS key_hash, MIN({_hash(_row(dataset))}) AS row_hash "
        f"FROM {_rows(dataset, warehouse, snapshot)} GROUP BY key_hash"
    )


def compared(dataset: Dataset, warehouse: str, before: str, snapshot: datetime) -> str:
    """How the window at the snapshot differs from what `hashes` gave for an earlier one, kept in the table `before`.

    BigQuery reads a table at one point in time in a statement, so the earlier one is a result of its own.
    """
    return (
        "SELECT COUNTIF(earlier.key_hash IS NULL) AS added, COUNTIF(earlier.row_hash != later.row_hash) AS altered, "
        "COUNTIF(later.key_hash IS NULL) AS gone "
        f"FROM `{before}` AS earlier FULL JOIN ({hashes(dataset, warehouse, snapshot)}) AS later "
        "ON earlier.key_hash = later.key_hash"
    )


def moved(dataset: Dataset, warehouse: str, before: str, snapshot: datetime) -> str:
    """How many keys of the table `before` are at the snapshot in a later window only, or not in the subset any more.

    A filter that is null keeps a row out of the subset as one that is false does, so NOT must not leave it null.
    """
    table = _at(dataset, warehouse, snapshot)
    now = hashes(dataset, warehouse, snapshot)
    return (
        f"SELECT COUNT(*) AS row_count FROM (SELECT earlier.key_hash FROM `{before}` AS earlier LEFT JOIN ({now}) "
        "AS later ON earlier.key_hash = later.key_hash WHERE later.key_hash IS NULL) AS gone "
        f"JOIN (SELECT DISTINCT {_hash(_key(dataset))} AS key_hash FROM {table} "
        f"WHERE {_change(dataset)} >= @start AND NOT IFNULL({_condition(dataset)}, FALSE)) AS elsewhere "
        "ON gone.key_hash = elsewhere.key_hash"
    )


def _change(dataset: Dataset) -> str:
    return _quoted(dataset.column(dataset.change).source)


def _at(dataset: Dataset, warehouse: str, snapshot: datetime | None) -> str:
    return f"`{warehouse}.{dataset.table}` {_as_of(snapshot)}"


def _as_of(snapshot: datetime | None) -> str:
    """At a snapshot; None: when the statement begins."""
    return f"FOR SYSTEM_TIME AS OF {_timestamp(snapshot) if snapshot else 'CURRENT_TIMESTAMP()'}"


def _timestamp(instant: datetime) -> str:
    return f"TIMESTAMP '{instant:%Y-%m-%d %H:%M:%S.%f+00:00}'"


def _rows(dataset: Dataset, warehouse: str, snapshot: datetime | None) -> str:
    return f"{_at(dataset, warehouse, snapshot)} WHERE {_condition(dataset)}"


def _condition(dataset: Dataset, start: str = "@start", end: str = "@end") -> str:
    change = _change(dataset)
    subset = f" AND ({dataset.filter})" if dataset.filter else ""
    return f"{change} >= {start} AND {change} < {end}{subset}"


def _row(dataset: Dataset) -> str:
    return f"TO_JSON_STRING(STRUCT({', '.join(_quoted(column.source) for column in dataset.columns)}))"


def _key(dataset: Dataset) -> str:
    return f"TO_JSON_STRING(STRUCT({', '.join(_quoted(dataset.column(name).source) for name in dataset.key)}))"


def _hash(text: str) -> str:
    return f"FARM_FINGERPRINT({text})"


def _bucket(dataset: Dataset, parts: int) -> str:
    """1 to `parts`, by the key; twice MOD, as the hash may be negative."""
    return f"MOD(MOD({_hash(_key(dataset))}, {parts}) + {parts}, {parts}) + 1" if parts > 1 else "1"


def _bytes(dataset: Dataset) -> str:
    """About what a row takes in the file, its separators included."""
    texts = [column for column in dataset.columns if column.type in ("STRING", "JSON")]
    fixed = sum(USUAL_BYTES.get(column.type, 0) + 1 for column in dataset.columns) + 1
    return " + ".join([str(fixed), *(f"IFNULL(BYTE_LENGTH({_text(column)}), 0)" for column in texts)])


def _text(column: Column) -> str:
    return f"TO_JSON_STRING({_quoted(column.source)})" if column.type == "JSON" else _quoted(column.source)


def _quoted(name: str) -> str:
    return f"`{name}`"
