"""INSERT, UPDATE, DELETE, MERGE and TRUNCATE as commits: rows are hidden and added, never overwritten.

UPDATE and MERGE first compute a `delta`: one line for each row touched, with the row's id (null for a new one), which
WHEN clause took it, and the values of every column afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from . import dialect, single
from .catalog import quote
from .changes import Change
from .errors import invalid_query
from .fields import Field
from .scope import Scope


@dataclass(frozen=True, slots=True)
class Affected:
    """Rows by kind, as DmlStats counts them."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        return self.inserted + self.updated + self.deleted


def target(tree: exp.Expr) -> exp.Table:
    """The table that a DML statement changes, taken out of the tree."""
    if isinstance(tree, exp.Delete) and tree.args.get("tables"):
        table = tree.args["tables"][0]
    elif isinstance(tree, exp.TruncateTable):
        table = tree.expressions[0]
    else:
        table = tree.this
    if isinstance(table, exp.Schema):
        table = table.this
    if not isinstance(table, exp.Table):
        raise invalid_query(f"Syntax error: not a table: {table}")
    return table


def rewrites(tree: exp.Expr) -> bool:
    """Whether the statement changes or removes rows that are there, which costs their bytes once more."""
    if isinstance(tree, exp.Merge):
        return any(not isinstance(when.args["then"], exp.Insert) for when in tree.args["whens"].expressions)
    return isinstance(tree, exp.Update | exp.Delete)


def insert(tree: exp.Insert, change: Change, scope: Scope) -> Affected:
    fields = change.generation.fields
    columns = [one.name for one in tree.this.expressions] if isinstance(tree.this, exp.Schema) else []
    columns = columns or [field.name for field in fields]
    source = tree.expression
    if isinstance(source, exp.Values):
        for row in source.expressions:
            _defaults_in(row, columns, fields)
    sql = scope.sql(source.copy())
    width = len(scope.cursor.sql(f"SELECT * FROM ({sql})").columns)
    if width != len(columns):
        raise invalid_query(f"Inserted row has wrong column count; Has {width}, expected {len(columns)}")
    names = ", ".join(quote(name) for name in columns)
    return Affected(inserted=change.append(f"({sql}) AS source ({names})", columns, defaults(fields, scope)))


def delete(tree: exp.Delete, table: exp.Table, change: Change, scope: Scope) -> Affected:
    where = _where(tree, scope)
    alias = quote(table.alias or table.name)
    rows = f"(SELECT __row FROM {change.live('rowid AS __row')} AS {alias} WHERE {where})"
    return Affected(deleted=change.remove(rows))


def update(tree: exp.Update, table: exp.Table, change: Change, scope: Scope) -> Affected:
    where, alias = _where(tree, scope), quote(table.alias or table.name)
    source = tree.args.get("from_")
    joined = f", {relation(source.this, scope)}" if source is not None else ""
    assigned = assignments(tree.expressions, change.generation.fields, scope)
    values = [
        f"{assigned.get(f.name.lower(), f'{alias}.{quote(f.name)}')} AS {quote(f.name)}"
        for f in change.generation.fields
    ]
    live = f"{change.live('rowid AS __row')} AS {alias}"
    delta(change, f"SELECT {alias}.__row, 0 AS __clause, {', '.join(values)} FROM {live}{joined} WHERE {where}")
    return apply(change, updates=[0], deletes=[], inserts=[])


def apply(change: Change, updates: Sequence[int], deletes: Sequence[int], inserts: Sequence[int]) -> Affected:
    """Carry out the delta. The lists are clause numbers. Raises `invalidQuery` when a row was taken twice."""
    cursor, fields = change.cursor, change.generation.fields
    taken = "FROM delta WHERE __row IS NOT NULL AND __clause IS NOT NULL"
    if single.row(cursor, f"SELECT count(*) > count(DISTINCT __row) {taken}")[0]:
        raise invalid_query("UPDATE/MERGE must match at most one source row for each target row")
    deleted = change.remove(_rows("__row", deletes)) if deletes else 0
    updated = change.remove(_rows("__row", updates)) if updates else 0
    names = [field.name for field in fields]
    change.append(_rows(", ".join(map(quote, names)), [*updates, *inserts]) + " AS delta", names)
    cursor.execute("DROP TABLE delta")
    return Affected(change.added - updated, updated, deleted)


def delta(change: Change, sql: str) -> None:
    change.cursor.execute(f"CREATE OR REPLACE TEMP TABLE delta AS {sql}")


def defaults(fields: Sequence[Field], scope: Scope) -> dict[str, str]:
    """The columns' DEFAULT expressions by lower-case name."""
    return {
        field.name.lower(): scope.sql(dialect.statements(f"SELECT {field.default}")[0].expressions[0].copy())
        for field in fields
        if field.default is not None
    }


def assignments(expressions: Sequence[exp.Expr], fields: Sequence[Field], scope: Scope) -> dict[str, str]:
    """Column, in lower case, to value for a SET list."""
    known = {field.name.lower(): field for field in fields}
    out = {}
    for one in expressions:
        name = one.this.name.lower()
        if name not in known:
            raise invalid_query(f"Unrecognized name: {one.this.name}")
        value = one.expression
        if is_default(value):
            out[name] = defaults([known[name]], scope).get(name, "NULL")
        else:
            out[name] = scope.sql(value.copy())
    return out


def is_default(value: exp.Expr) -> bool:
    return isinstance(value, exp.Var | exp.Column) and value.name.upper() == "DEFAULT"


def relation(source: exp.Expr, scope: Scope) -> str:
    """A FROM or USING item, bound."""
    return scope.sql(exp.select("*").from_(source.copy())).removeprefix("SELECT * FROM ")


def _rows(columns: str, clauses: Sequence[int]) -> str:
    return f"(SELECT {columns} FROM delta WHERE __clause IN ({', '.join(map(str, clauses)) or 'NULL'}))"


def _where(tree: exp.Expr, scope: Scope) -> str:
    where = tree.args.get("where")
    if where is None:
        raise invalid_query(f"{type(tree).__name__.upper()} must have a WHERE clause")
    return scope.sql(where.this.copy())


def _defaults_in(row: exp.Expr, columns: Sequence[str], fields: Sequence[Field]) -> None:
    """Put the columns' defaults where an inserted row says DEFAULT."""
    by_name = {field.name.lower(): field for field in fields}
    for name, value in zip(columns, list(row.expressions), strict=False):
        if is_default(value):
            field = by_name.get(name.lower())
            text = field.default if field is not None and field.default is not None else "NULL"
            value.replace(dialect.statements(f"SELECT {text}")[0].expressions[0].copy())
