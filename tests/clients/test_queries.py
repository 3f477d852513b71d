"""The SQL: every read of rows at one snapshot, over a half-open window, of shared columns and no others."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlglot
from sqlglot import exp

from pipeline.clients import queries
from pipeline.contracts.dataset import Dataset
from pipeline.window import Window
from tests.sample_contract import CONTRACT, sample_contract

WAREHOUSE = "project-1.set"
SNAPSHOT = datetime(2026, 11, 23, 14, 3, 4, 567_890, tzinfo=UTC)
WITH_GAP = [Window.hour(datetime(2026, 11, 23, hour, tzinfo=UTC)) for hour in (9, 12)]
ROWS: dict[str, Callable[[Dataset], str]] = {
    "totals": lambda dataset: queries.totals(dataset, WAREHOUSE, SNAPSHOT, 1),
    "totals by part": lambda dataset: queries.totals(dataset, WAREHOUSE, SNAPSHOT, 7),
    "extract": lambda dataset: queries.extract(dataset, WAREHOUSE, SNAPSHOT, 1, 1),
    "extract of a part": lambda dataset: queries.extract(dataset, WAREHOUSE, SNAPSHOT, 3, 7),
    "hour totals": lambda dataset: queries.hour_totals(dataset, WAREHOUSE, SNAPSHOT),
    "hours": lambda dataset: queries.hours(dataset, WAREHOUSE, SNAPSHOT),
    "hours with a gap": lambda dataset: queries.hours(dataset, WAREHOUSE, SNAPSHOT, WITH_GAP),
    "hashes": lambda dataset: queries.hashes(dataset, WAREHOUSE, SNAPSHOT),
}
OTHERS: dict[str, Callable[[Dataset], str]] = {
    "readiness": lambda dataset: queries.readiness(dataset, WAREHOUSE),
    "look": lambda dataset: queries.look(dataset, WAREHOUSE),
    "compared": lambda dataset: queries.compared(dataset, WAREHOUSE, "project-1.kept.result", SNAPSHOT),
    "moved": lambda dataset: queries.moved(dataset, WAREHOUSE, "project-1.kept.result", SNAPSHOT),
}
NOT_SHARED = "is_internal"
BARE = sample_contract(
    CONTRACT.replace('["sum(amount)", "min(line)", "max(touched)"]', "[]")
    .replace('{property: filter, value: "NOT is_internal OR is_internal IS NULL"}', "{property: filter}")
    .replace("value: watermark", "value: none")
)


def parsed(sql: str) -> exp.Query:
    """The statement as BigQuery's grammar has it; it must be one."""
    (statement,) = sqlglot.parse(sql, dialect="bigquery")
    assert isinstance(statement, exp.Query)
    return statement


@pytest.mark.parametrize("name", [*ROWS, *OTHERS])
@pytest.mark.parametrize("dataset", [sample_contract(), BARE], ids=["everything", "bare"])
def test_every_query_is_one_statement_of_bigquerys_grammar(name: str, dataset: Dataset) -> None:
    assert parsed({**ROWS, **OTHERS}[name](dataset)).sql(dialect="bigquery")


@pytest.mark.parametrize("name", ROWS)
def test_every_read_of_rows_names_the_same_snapshot_to_the_microsecond(name: str) -> None:
    sql = ROWS[name](sample_contract())
    (table,) = parsed(sql).find_all(exp.Table)
    assert table.args["version"].sql(dialect="bigquery").startswith("FOR SYSTEM_TIME AS OF")
    assert "'2026-11-23 14:03:04.567890+00:00'" in sql
    assert "`project-1.set.ledger_v2`" in sql


@pytest.mark.parametrize("name", ROWS)
def test_the_window_is_half_open_over_the_change_column(name: str) -> None:
    assert "`touched` >= @start AND `touched` < @end" in ROWS[name](sample_contract())


@pytest.mark.parametrize("name", ROWS)
def test_a_filter_with_an_or_does_not_open_the_window(name: str) -> None:
    (where,) = parsed(ROWS[name](sample_contract())).find_all(exp.Where)
    assert not isinstance(where.this, exp.Or)
    assert "(NOT is_internal OR is_internal IS NULL)" in where.sql(dialect="bigquery")


@pytest.mark.parametrize("name", ROWS)
def test_a_column_that_is_not_shared_stands_in_the_filter_alone(name: str) -> None:
    statement = parsed(ROWS[name](sample_contract()))
    inside = [column for column in statement.find_all(exp.Column) if column.name == NOT_SHARED]
    assert inside
    assert all(column.find_ancestor(exp.Where) for column in inside)


def test_the_extract_gives_the_columns_of_the_file_under_their_names_in_order() -> None:
    dataset = sample_contract()
    statement = parsed(queries.extract(dataset, WAREHOUSE, SNAPSHOT, 1, 1))
    assert isinstance(statement, exp.Select)
    assert [one.alias_or_name for one in statement.expressions] == [column.name for column in dataset.columns]
    assert [one.unalias().name for one in statement.expressions] == [column.source for column in dataset.columns]


def test_the_totals_are_those_of_the_contract_by_number() -> None:
    statement = parsed(queries.totals(sample_contract(), WAREHOUSE, SNAPSHOT, 1))
    assert isinstance(statement, exp.Select)
    names = [one.alias for one in statement.expressions]
    counted = ["row_count", "key_count", "byte_count", "fingerprint", "change_total"]
    assert names == ["part", *counted, "total_0", "total_1", "total_2"]


def test_one_part_is_no_condition_and_several_cut_by_the_key_alone() -> None:
    dataset = sample_contract()
    assert "MOD" not in queries.extract(dataset, WAREHOUSE, SNAPSHOT, 1, 1)
    cut = queries.extract(dataset, WAREHOUSE, SNAPSHOT, 3, 7).partition(" AND MOD(")[2]
    assert cut.endswith(", 7) + 1 = 3")
    assert "STRUCT(`booking_no`, `line`)" in cut
    assert "amount" not in cut


def test_a_read_of_the_table_takes_the_rows_of_the_extract() -> None:
    dataset = sample_contract()
    window = Window.hour(datetime(2026, 11, 23, 13, tzinfo=UTC))
    condition = queries.extract(dataset, WAREHOUSE, SNAPSHOT, 1, 1).partition(" WHERE ")[2]
    for name, instant in (("@start", window.start), ("@end", window.end)):
        condition = condition.replace(name, f"TIMESTAMP '{instant:%Y-%m-%d %H:%M:%S}.000000+00:00'")
    assert queries.restriction(dataset, window) == condition


def test_a_dataset_without_watermark_is_complete_until_now() -> None:
    assert queries.readiness(BARE, WAREHOUSE).count("CURRENT_TIMESTAMP()") == 2
    assert "`project-1.set.watermark` WHERE dataset = @dataset" in queries.readiness(sample_contract(), WAREHOUSE)
