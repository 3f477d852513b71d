"""May this statement run: Google's engine first, then what BigQuery refuses beyond it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
from sqlglot import exp

from . import information_schema, rules
from .catalog import TableRef
from .dialect import Statement
from .errors import BigQueryError
from .fields import FROM_ARROW, Field
from .scope import Scope


def admit(statement: Statement, scope: Scope, variables: Mapping[str, str] | None = None) -> None:
    """Raises `invalidQuery` for a statement that BigQuery would refuse; `variables` are a script's, by type."""
    if isinstance(statement.tree, exp.Declare | exp.Set):
        return
    tables = {ref: _columns(ref, scope) for ref in _tables(statement.tree, scope)}

    def named(path: Sequence[str]) -> tuple[Field, ...] | None:
        try:
            return _columns(scope.named_reference(path), scope)
        except BigQueryError:
            return None

    scope.gate.check(statement.text, tables, named, scope.parameters, variables)
    rules.check(statement.tree)


def _tables(tree: exp.Expr, scope: Scope) -> list[TableRef]:
    """What the statement names, once each; a name without a dataset is a common table expression or nothing."""
    if isinstance(tree, exp.Create | exp.Drop) and str(tree.args["kind"]).upper() == "SCHEMA":
        return []
    named = [one for one in tree.find_all(exp.Table) if isinstance(one.this, exp.Identifier)]
    found = []
    for table in named:
        try:
            found.append(scope.reference(table))
        except BigQueryError:
            continue
    return list(dict.fromkeys(found))


def _columns(ref: TableRef, scope: Scope) -> tuple[Field, ...] | None:
    """The columns of a table, view, result or INFORMATION_SCHEMA view; None where there is no such thing."""
    try:
        if information_schema.names(ref):
            return tuple(_of_arrow(one) for one in information_schema.view(scope.warehouse, ref).schema)
        rows = scope.anonymous(ref)
        if rows is not None:
            return rows.fields
        table = scope.warehouse.find(ref)
    except BigQueryError as error:
        if error.status not in {404, 501}:
            raise
        return None
    return None if table is None else table.fields


def _of_arrow(field: pa.Field) -> Field:
    return Field(field.name, FROM_ARROW[str(field.type)])
