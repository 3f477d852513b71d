"""One statement of any kind, or a script of them: what it did and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
from sqlglot import exp

from . import ddl, dml, query, results, single
from .admission import admit
from .catalog import TableRef
from .dialect import Statement
from .dml import Affected
from .errors import from_duckdb, not_served
from .fields import Field, infer
from .merge import merge
from .reads import NOTHING, Bill, bill
from .scope import Scope

DML: dict[type[exp.Expr], str] = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.TruncateTable: "TRUNCATE_TABLE",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rows` is None for statements without a result."""

    statement_type: str
    bill: Bill = NOTHING
    rows: results.Rows | None = None
    affected: Affected | None = None
    ddl_target: TableRef | None = None
    tables: tuple[TableRef, ...] = field(default_factory=tuple)


def execute(script: list[Statement], scope: Scope, scratch: Path) -> Outcome:
    """Run a query or a script; a script's outcome is that of its last statement."""
    if len(script) == 1:
        admit(script[0], scope)
        return _guarded(script[0].tree, scope, scratch)
    outcome, bills = Outcome("SCRIPT"), NOTHING
    variables: dict[str, exp.Expr] = {}
    for statement in script:
        scope = replace(scope, now=scope.warehouse.clock.tick(), snapshots={})
        admit(statement, scope, {name: value.meta["bigquery"] for name, value in variables.items()})
        tree = _with_variables(statement.tree, variables)
        if isinstance(tree, exp.Declare | exp.Set):
            variables |= _assigned(tree, variables, scope)
            continue
        outcome = _guarded(tree, scope, scratch)
        bills = bills.plus(outcome.bill)
    return replace(outcome, statement_type="SCRIPT", bill=bills)


def dry_run(script: list[Statement], scope: Scope) -> tuple[Outcome, tuple[Field, ...]]:
    """What a statement would read and give. Only a query is planned in full."""
    tree, fields = script[0].tree, tuple[Field, ...]()
    admit(script[0], scope)
    try:
        cost = bill(tree, scope.again())
        if isinstance(tree, exp.Query):
            _, fields, _ = query.plan(tree, scope)
        elif isinstance(tree, exp.Create):
            ddl.rehearse(tree, scope)
        tables = tuple(scope.snapshots)
        if type(tree) in DML:
            tables = (scope.warehouse.table(scope.reference(dml.target(tree))).ref,)
        return Outcome(_kind(tree), cost, tables=tables), fields
    except duckdb.Error as error:
        raise from_duckdb(error) from error


def _guarded(tree: exp.Expr, scope: Scope, scratch: Path) -> Outcome:
    try:
        return _execute(tree, scope, scratch)
    except duckdb.Error as error:
        raise from_duckdb(error) from error


def _execute(tree: exp.Expr, scope: Scope, scratch: Path) -> Outcome:
    kind = _kind(tree)
    if type(tree) in DML:
        return _change(tree, kind, scope)
    cost = bill(tree, scope.again())
    if isinstance(tree, exp.Query):
        rows = query.run(tree, scope, scratch)
        return Outcome(kind, cost, rows, tables=tuple(scope.snapshots))
    made: TableRef | None = None
    if isinstance(tree, exp.Create):
        made = ddl.create(tree, scope)
    elif isinstance(tree, exp.Drop):
        ddl.drop(tree, scope)
    else:
        assert isinstance(tree, exp.Alter)
        made = ddl.alter(tree, scope)
    return Outcome(kind, cost, ddl_target=made, tables=tuple(scope.snapshots))


def _change(tree: exp.Expr, kind: str, scope: Scope) -> Outcome:
    table = dml.target(tree)
    ref = scope.reference(table)
    if isinstance(tree, exp.TruncateTable):
        old = scope.warehouse.snapshot(ref)
        with scope.warehouse.rebuild(ref, old.fields, scope.warehouse.table(ref).properties):
            return Outcome(kind, affected=Affected(deleted=old.count), tables=(ref,))
    with scope.warehouse.change(ref) as change:
        inner = scope.inside(change)
        cost = bill(tree, inner.again())
        if isinstance(tree, exp.Insert):
            affected = dml.insert(tree, change, inner)
        elif isinstance(tree, exp.Delete):
            affected = dml.delete(tree, table, change, inner)
        elif isinstance(tree, exp.Update):
            affected = dml.update(tree, table, change, inner)
        else:
            assert isinstance(tree, exp.Merge)
            affected = merge(tree, table, change, inner)
        return Outcome(kind, cost, affected=affected, tables=tuple(inner.snapshots))


def _kind(tree: exp.Expr) -> str:
    if isinstance(tree, exp.Query):
        return "SELECT"
    if type(tree) in DML:
        return DML[type(tree)]
    if isinstance(tree, exp.Create):
        kind = str(tree.args["kind"]).upper()
        return f"CREATE_{kind}" + ("_AS_SELECT" if kind == "TABLE" and tree.args.get("expression") is not None else "")
    if isinstance(tree, exp.Drop):
        return f"DROP_{str(tree.args['kind']).upper()}"
    if isinstance(tree, exp.Alter):
        return "ALTER_TABLE"
    raise not_served(f"the statement {tree.sql('bigquery')[:80]}")


def _with_variables(tree: exp.Expr, variables: dict[str, exp.Expr]) -> exp.Expr:
    """A script's variables are unqualified names; a column of that name would win, which is not looked into here."""

    def value(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table and node.name.lower() in variables:
            return variables[node.name.lower()].copy()
        return node

    return tree.transform(value) if variables and not isinstance(tree, exp.Declare | exp.Set) else tree


def _assigned(tree: exp.Expr, variables: dict[str, exp.Expr], scope: Scope) -> dict[str, exp.Expr]:
    """The variables that a DECLARE or SET gives a value to; the value is computed now."""
    out: dict[str, exp.Expr] = {}
    for item in tree.expressions:
        if isinstance(item, exp.DeclareItem):
            names = [one.name for one in item.this]
            kind, value = item.args.get("kind"), item.args.get("default") or exp.null()
        else:
            names, kind, value = [item.this.this.name], None, item.this.expression
        value = _with_variables(exp.select(value.copy()), variables | out).expressions[0]
        value = exp.cast(value, kind) if kind else value
        found = single.row(scope.cursor, f"SELECT CAST(v AS VARCHAR), typeof(v) FROM (SELECT {scope.sql(value)} AS v)")
        if str(found[1]).endswith(("[]", ")")) and not str(found[1]).startswith("DECIMAL"):
            raise not_served(f"a script variable of this type: {', '.join(names)}")
        literal = exp.null() if found[0] is None else exp.Literal.string(found[0])
        for name in names:
            out[name.lower()] = exp.cast(literal, exp.DataType.build(found[1], dialect="duckdb"))
            out[name.lower()].meta["bigquery"] = infer(name, found[1], bignumeric=False).type
    return out
