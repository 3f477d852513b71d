"""MERGE: one join of target and source, and for each of its lines the first WHEN clause that takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from .catalog import quote
from .changes import Change
from .dml import Affected, apply, assignments, defaults, delta, is_default, relation
from .errors import invalid_query
from .fields import Field
from .scope import Scope

JOINS = {
    frozenset[str](): "INNER",
    frozenset({"target"}): "RIGHT",
    frozenset({"source"}): "LEFT",
    frozenset({"source", "target"}): "FULL",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """A WHEN clause: when it applies, what it does, and the values it gives by lower-case column name."""

    condition: str
    kind: str
    values: dict[str, str]


def merge(tree: exp.Merge, table: exp.Table, change: Change, scope: Scope) -> Affected:
    fields, using = change.generation.fields, tree.args["using"]
    here, there = quote(table.alias or table.name), quote(using.alias_or_name)
    source = f"(SELECT *, TRUE AS __given FROM {relation(using, scope)}) AS {there}"
    on = scope.sql(tree.args["on"].copy())
    whens = tree.args["whens"].expressions
    missing = frozenset(
        "source" if when.args.get("source") else "target" for when in whens if not when.args.get("matched")
    )
    clauses = [_clause(when, fields, here, there, using.alias_or_name, scope) for when in whens]
    number = " ".join(f"WHEN {clause.condition} THEN {index}" for index, clause in enumerate(clauses))
    columns = ", ".join(_column(field, clauses, here) for field in fields)
    live = f"{change.live('rowid AS __row')} AS {here}"
    joined = f"{live} {JOINS[missing]} JOIN {source} ON {on}"
    delta(change, f"SELECT {here}.__row, CASE {number} END AS __clause, {columns} FROM {joined}")
    by_kind: dict[str, list[int]] = {"update": [], "delete": [], "insert": []}
    for index, clause in enumerate(clauses):
        by_kind[clause.kind].append(index)
    return apply(change, by_kind["update"], by_kind["delete"], by_kind["insert"])


def _clause(when: exp.When, fields: Sequence[Field], here: str, there: str, source: str, scope: Scope) -> Clause:
    matched, by_source = bool(when.args.get("matched")), bool(when.args.get("source"))
    condition = f"{here}.__row IS {'NOT ' if matched or by_source else ''}NULL"
    condition += f" AND {there}.__given IS {'' if by_source and not matched else 'NOT '}NULL"
    if when.args.get("condition") is not None:
        extra = when.args["condition"].copy()
        condition += f" AND ({scope.sql(extra if matched or by_source else _qualified(extra, source))})"
    action = when.args["then"]
    if isinstance(action, exp.Update):
        return Clause(condition, "update", assignments(action.expressions, fields, scope))
    if isinstance(action, exp.Insert):
        return Clause(condition, "insert", _inserted(action, fields, there, source, scope))
    return Clause(condition, "delete", {})


def _inserted(action: exp.Insert, fields: Sequence[Field], there: str, source: str, scope: Scope) -> dict[str, str]:
    if isinstance(action.this, exp.Var) and action.this.name.upper() == "ROW":
        return {field.name.lower(): f"{there}.{quote(field.name)}" for field in fields}
    columns = [one.name for one in action.this.expressions] if action.this else [field.name for field in fields]
    values = action.expression.expressions
    if isinstance(action.expression, exp.Values):
        values = values[0].expressions
    if len(columns) != len(values):
        raise invalid_query(f"Inserted row has wrong column count; Has {len(values)}, expected {len(columns)}")
    out = {field.name.lower(): "NULL" for field in fields} | defaults(fields, scope)
    for name, value in zip(columns, values, strict=True):
        if not is_default(value):
            out[name.lower()] = scope.sql(_qualified(value.copy(), source))
    return out


def _qualified(value: exp.Expr, source: str) -> exp.Expr:
    """Only the source can be meant where there is no target row."""
    for column in value.find_all(exp.Column):
        if not column.table:
            column.set("table", exp.to_identifier(source, quoted=True))
    return value


def _column(field: Field, clauses: Sequence[Clause], here: str) -> str:
    old, name = f"{here}.{quote(field.name)}", field.name.lower()
    changes = [f"WHEN {clause.condition} THEN {clause.values.get(name, old)}" for clause in clauses]
    return f"CASE {' '.join(changes)} ELSE {old} END AS {quote(field.name)}"
