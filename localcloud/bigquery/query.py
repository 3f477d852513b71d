"""SELECT: from a tree to rows."""

from __future__ import annotations

import itertools
from pathlib import Path

import duckdb
from sqlglot import exp

from . import results
from .errors import invalid_query
from .fields import Field, infer
from .scope import Scope

VOLATILE = (exp.Rand, exp.Uuid, exp.Query)


def describe(relation: duckdb.DuckDBPyRelation, *, bignumeric: bool) -> tuple[Field, ...]:
    """The columns of a query. Raises `invalidQuery` when two have one name, as BigQuery does."""
    names = [name.lower() for name in relation.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid_query(
            f"Duplicate column names in the result are not supported. Found duplicate(s): {', '.join(twice)}"
        )
    return tuple(
        infer(name, str(kind), bignumeric=bignumeric)
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )


def plan(tree: exp.Expr, scope: Scope) -> tuple[duckdb.DuckDBPyRelation, tuple[Field, ...], str]:
    """A bound query that has not run yet: the relation, its columns and its SQL."""
    name_columns(tree)
    sql = scope.sql(tree)
    relation = scope.cursor.sql(sql)
    scope.bignumeric |= "DECIMAL(38, 18)" in sql
    return relation, describe(relation, bignumeric=scope.bignumeric), sql


def run(tree: exp.Expr, scope: Scope, scratch: Path) -> results.Rows:
    """Everything that may fail in the query fails here, also where its rows are only read later."""
    plain = is_plain(tree)
    relation, fields, sql = plan(tree, scope)
    if plain and scope.only_tables and len(scope.snapshots) == 1:
        count = results.count(scope.cursor, f"({sql})")
        return results.Pinned(fields, count, sql, list(scope.snapshots.values()), scope.warehouse.cursor)
    return results.materialise(relation, fields, scratch)


def is_plain(tree: exp.Expr) -> bool:
    """Whether a query only picks columns and rows of one table: then reading it later cannot fail or differ."""
    if not isinstance(tree, exp.Select):
        return False
    used = {key for key, value in tree.args.items() if value}
    if not used <= {"expressions", "from_", "where"} or "from_" not in used:
        return False
    picks = all(
        isinstance(one.unalias(), exp.Column) or (type(one) is exp.Star and not one.args.get("replace"))
        for one in tree.expressions
    )
    where = tree.args.get("where")
    return picks and isinstance(tree.args["from_"].this, exp.Table) and not (where and where.find(*VOLATILE))


def name_columns(tree: exp.Expr) -> None:
    """Give the unnamed columns of the result BigQuery's names: f0_, f1_ ..."""
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        tree = tree.this
    if not isinstance(tree, exp.Select):
        return
    numbers = itertools.count()
    named = [
        column
        if isinstance(column, exp.Column | exp.Alias | exp.Star)
        else exp.Alias(this=column, alias=exp.to_identifier(f"f{next(numbers)}_", quoted=True))
        for column in tree.expressions
    ]
    tree.set("expressions", named)
