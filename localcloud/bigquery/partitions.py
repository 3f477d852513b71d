"""Which partitions a condition leaves: what BigQuery's partition pruning decides, as a DuckDB condition on rows.

https://cloud.google.com/bigquery/docs/querying-partitioned-tables: the partitioning column stands alone, or truncated,
on one side of a comparison, and a constant expression on the other. Parameters are constants by now. Anything else
leaves every partition, which is what a subquery on the other side does in BigQuery too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from sqlglot import exp

from .catalog import quote
from .fields import Field

UNITS = ("HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
COMPARED: dict[type[exp.Expr], str] = {exp.EQ: "=", exp.GT: ">=", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
MIRRORED: dict[type[exp.Expr], type[exp.Expr]] = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE}
TRUNCATIONS = (exp.TimestampTrunc, exp.DatetimeTrunc, exp.DateTrunc)
VARIABLE = (exp.Column, exp.Query, exp.Rand, exp.Uuid, exp.Parameter, exp.Placeholder)

Translate = Callable[[exp.Expr], str]


@dataclass(frozen=True, slots=True)
class Partitioning:
    """By which column, and how a value of it becomes the start of its partition."""

    field: Field
    unit: str
    start: int = 0
    step: int = 0

    @classmethod
    def of(cls, properties: dict[str, Any], fields: tuple[Field, ...]) -> Self | None:
        """The partitioning of a table, or None where it has none by a column."""
        ranged, timed = properties.get("rangePartitioning"), properties.get("timePartitioning")
        name = str((ranged or timed or {}).get("field") or "").lower()
        field = next((one for one in fields if one.name.lower() == name), None)
        if field is None:
            return None
        if ranged:
            bounds = ranged["range"]
            return cls(field, "RANGE", int(bounds["start"]), int(bounds["interval"]))
        return cls(field, str(timed["type"] if timed else "DAY").upper())

    def floor(self, value: str) -> str:
        """The start of the partition that the value lies in."""
        cast = f"CAST({value} AS {self.field.duckdb})"
        if self.unit == "RANGE":
            return f"({self.start} + CAST(floor(({cast} - {self.start}) / {self.step}) AS BIGINT) * {self.step})"
        return f"date_trunc('{self.unit}', {cast})"


def condition(filters: list[exp.Expr], table: str, by: Partitioning, sql: Translate) -> str:
    """The rows of the partitions that all filters leave, as a DuckDB condition; empty where all are left.

    `table` is the alias that the partitioning column is qualified by, `sql` writes a constant for DuckDB.
    """
    found = [_partitions(one, table, by, sql) for one in filters]
    return " AND ".join(f"({one})" for one in found if one is not None)


def _partitions(node: exp.Expr, table: str, by: Partitioning, sql: Translate) -> str | None:
    node = node.unnest()
    if isinstance(node, exp.And | exp.Or):
        left, right = (_partitions(side, table, by, sql) for side in (node.left, node.right))
        if isinstance(node, exp.And):
            return " AND ".join(f"({one})" for one in (left, right) if one is not None) or None
        return f"({left}) OR ({right})" if left is not None and right is not None else None
    if isinstance(node, exp.Boolean) and not node.this:
        return "FALSE"
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null) and _is_column(node.this, table, by):
        return f"{quote(by.field.name)} IS NULL"
    if isinstance(node, exp.Between):
        low = exp.GTE(this=node.this.copy(), expression=node.args["low"].copy())
        high = exp.LTE(this=node.this.copy(), expression=node.args["high"].copy())
        return _partitions(exp.and_(low, high), table, by, sql)
    if isinstance(node, exp.In):
        return _among(node, table, by, sql)
    if type(node) not in COMPARED:
        return None
    kind, left, right = type(node), node.this, node.expression
    if _constant(left):
        kind, left, right = MIRRORED.get(kind, kind), right, left
    return _compared(kind, left, right, table, by, sql) if _constant(right) else None


def _compared(
    kind: type[exp.Expr], left: exp.Expr, right: exp.Expr, table: str, by: Partitioning, sql: Translate
) -> str | None:
    unit, column = _truncated(left)
    if not _is_column(column, table, by):
        return None
    start, value = by.floor(quote(by.field.name)), sql(right.copy())
    if unit is not None and by.unit in UNITS and UNITS.index(unit) > UNITS.index(by.unit):
        return f"date_trunc('{unit}', {start}) {COMPARED[kind]} CAST({value} AS {by.field.duckdb})"
    if kind is exp.LT:
        return f"{start} < CAST({value} AS {by.field.duckdb})"
    return f"{start} {COMPARED[kind]} {by.floor(value)}"


def _among(node: exp.In, table: str, by: Partitioning, sql: Translate) -> str | None:
    _, column = _truncated(node.this)
    if not _is_column(column, table, by):
        return None
    unnest = node.args.get("unnest")
    if unnest is not None:
        values = unnest.expressions[0] if unnest.expressions else unnest
        if not _constant(values):
            return None
        low, high = f"list_min({sql(values.copy())})", f"list_max({sql(values.copy())})"
        return f"{by.floor(quote(by.field.name))} BETWEEN {by.floor(low)} AND {by.floor(high)}"
    if not node.expressions or not all(_constant(one) for one in node.expressions):
        return None
    single = [_compared(exp.EQ, node.this, one, table, by, sql) for one in node.expressions]
    return " OR ".join(f"({one})" for one in single if one is not None)


def _truncated(node: exp.Expr) -> tuple[str | None, exp.Expr]:
    """The unit that the column is cut to, and the column."""
    if isinstance(node, TRUNCATIONS):
        unit = node.text("unit").upper() or "DAY"
        return (unit if unit in UNITS else None), node.this
    if isinstance(node, exp.Date | exp.TsOrDsToDate) and not node.args.get("zone") and not node.expressions:
        return "DAY", node.this
    if isinstance(node, exp.Cast) and node.to.this == exp.DType.DATE:
        return "DAY", node.this
    return None, node


def _is_column(node: exp.Expr, table: str, by: Partitioning) -> bool:
    return isinstance(node, exp.Column) and node.table == table and node.name.lower() == by.field.name.lower()


def _constant(node: exp.Expr) -> bool:
    return node.find(*VARIABLE) is None
