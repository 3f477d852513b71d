"""What BigQuery refuses and Google's engine, which serves other products too, does not. Each rule has its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from .errors import invalid_query
from .fields import Field

# The sentence as BigQuery says it: github.com/dbt-labs/dbt-adapters/issues/568
TOP_LEVEL_ONLY = (
    "WITH RECURSIVE is only allowed at the top level of the SELECT, CREATE TABLE AS SELECT, CREATE VIEW, INSERT, "
    "EXPORT DATA statements."
)
# https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#partition_expression
UNITS: dict[str, tuple[str, ...]] = {
    "TIMESTAMP": ("HOUR", "DAY", "MONTH", "YEAR"),
    "DATETIME": ("HOUR", "DAY", "MONTH", "YEAR"),
    "DATE": ("DAY", "MONTH", "YEAR"),
}
PARTITION_BY = (
    "PARTITION BY expression must be DATE(<timestamp_column>), DATE(<datetime_column>), "
    "DATETIME_TRUNC(<datetime_column>, DAY/HOUR/MONTH/YEAR), a DATE column, "
    "TIMESTAMP_TRUNC(<timestamp_column>, DAY/HOUR/MONTH/YEAR), "
    "DATE_TRUNC(<date_column>, MONTH/YEAR), or RANGE_BUCKET(<int64_column>, GENERATE_ARRAY(<int64_value>, "
    "<int64_value>[, <int64_value>]))"
)
# https://cloud.google.com/bigquery/docs/clustered-tables#limitations
CLUSTERED = {"BOOL", "DATE", "DATETIME", "INT64", "NUMERIC", "BIGNUMERIC", "STRING", "TIMESTAMP"}
MOST_CLUSTERED = 4
# https://cloud.google.com/bigquery/docs/schemas#column_names
RESERVED_PREFIXES = (
    "_table_",
    "_file_",
    "_partition",
    "_row_timestamp",
    "__root__",
    "_colidentifier",
    "_change_sequence_number",
    "_change_type",
    "_change_timestamp",
)


def check(tree: exp.Expr) -> None:
    """Raises `invalidQuery` for a statement that breaks a rule that its text alone shows."""
    _recursion(tree)
    _snapshots(tree)


def _recursion(tree: exp.Expr) -> None:
    top: exp.Expr | None = tree
    if isinstance(tree, exp.Create | exp.Insert):
        top = tree.args.get("expression")
        top = top.unnest() if top is not None else None
    for clause in tree.find_all(exp.With):
        if clause.args.get("recursive") and clause.parent is not top and clause.parent is not tree:
            raise invalid_query(TOP_LEVEL_ONLY)


def _snapshots(tree: exp.Expr) -> None:
    """https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#for_system_time_as_of: the time is a
    constant expression, without subqueries, correlated references or functions of the user's.
    """
    for version in tree.find_all(exp.Version):
        instant = version.expression
        if instant is not None and instant.find(exp.Query, exp.Column):
            raise invalid_query("FOR SYSTEM_TIME AS OF expression must be constant; it holds a column or a subquery")


def partition_expression(tree: exp.Create, fields: Sequence[Field]) -> None:
    """Raises `invalidQuery` for a column that cannot stand alone in PARTITION BY: all but DATE need a function."""
    types = {field.name.lower(): field.type for field in fields}
    for clause in tree.find_all(exp.PartitionedByProperty):
        by = clause.this
        if isinstance(by, exp.Column | exp.Identifier) and types.get(by.name.lower(), "DATE") != "DATE":
            raise invalid_query(PARTITION_BY)


def layout(properties: dict[str, Any], fields: Sequence[Field]) -> None:
    """Raises `invalidQuery` where a table cannot be partitioned or clustered so, or a column's name is reserved."""
    types = {field.name.lower(): field for field in fields}
    _partitioned(properties.get("timePartitioning") or {}, properties.get("rangePartitioning") or {}, types)
    _clustered((properties.get("clustering") or {}).get("fields") or [], types)
    for field in fields:
        if field.name.lower().startswith(RESERVED_PREFIXES):
            raise invalid_query(f"Invalid field name {field.name!r}. Field names must not start with a reserved prefix")


def _partitioned(timed: Mapping[str, Any], ranged: Mapping[str, Any], types: Mapping[str, Field]) -> None:
    name = str(timed.get("field") or ranged.get("field") or "").lower()
    if not name:
        return
    field = types.get(name)
    if field is None:
        raise invalid_query(f"The field specified for partitioning cannot be found in the schema: {name}.")
    unit = str(timed.get("type") or "DAY").upper()
    right = field.type == "INT64" if ranged else unit in UNITS.get(field.type, ())
    if field.mode == "REPEATED" or not right:
        raise invalid_query(PARTITION_BY)


def _clustered(columns: Sequence[str], types: Mapping[str, Field]) -> None:
    if len(columns) > MOST_CLUSTERED:
        raise invalid_query(f"At most {MOST_CLUSTERED} clustering columns are allowed; found {len(columns)}")
    for name in columns:
        field = types.get(name.lower())
        if field is None:
            raise invalid_query(f"The field specified for clustering cannot be found in the schema: {name}.")
        if field.type not in CLUSTERED or field.mode == "REPEATED":
            raise invalid_query(f"Clustering is not supported on column {name} of type {field.sql_type}")
