"""The world that one statement sees: its parameters, one instant for "now", and every table at one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from . import dialect, information_schema
from .catalog import DatasetRef, Snapshot, TableRef
from .changes import Change
from .errors import BigQueryError, invalid_query, not_served
from .googlesql.gate import Gate
from .results import Rows, register
from .warehouse import Warehouse

NOW: dict[type[exp.Expr], str] = {
    exp.CurrentTimestamp: "TIMESTAMPTZ",
    exp.CurrentDatetime: "TIMESTAMP",
    exp.CurrentDate: "DATE",
    exp.CurrentTime: "TIME",
}
PLAIN_TABLE = {"this", "db", "catalog", "alias", "version"}


@dataclass(slots=True)
class Scope:
    """Binds a statement's tree to the warehouse. One a statement; `cursor` is the connection that will run it."""

    warehouse: Warehouse
    cursor: duckdb.DuckDBPyConnection
    now: datetime
    project: str
    default: DatasetRef | None
    named: dict[str, exp.Expr]
    positional: list[exp.Expr]
    anonymous: Callable[[TableRef], Rows | None]
    gate: Gate
    parameters: Sequence[Mapping[str, Any]] = ()
    maximum_bytes: int | None = None
    snapshots: dict[TableRef, Snapshot] = field(default_factory=dict)
    bignumeric: bool = False
    only_tables: bool = True

    def inside(self, change: Change) -> Scope:
        """The same statement seen from a change: its connection, and the tables as they are under its lock."""
        return replace(self, cursor=change.cursor, now=change.now, positional=list(self.positional), only_tables=True)

    def again(self) -> Scope:
        """The same view for another walk over the same statement."""
        return replace(self, positional=list(self.positional), snapshots={})

    def bind(self, tree: exp.Expr) -> exp.Expr:
        """The tree with values for parameters and clocks, and snapshots for tables; for `dialect.duckdb`."""
        holder = exp.Paren(this=tree)
        self.values(holder)
        simple = [select for select in holder.find_all(exp.Select) if len(list(select.find_all(exp.Query))) == 1]
        named = [self._tables(select) for select in simple]
        ctes = {cte.alias.lower() for cte in holder.find_all(exp.CTE)}
        for table in list(holder.find_all(exp.Table)):
            if table.args.get("db") is None and table.name.lower() in ctes:
                continue
            if isinstance(table.this, exp.Identifier):
                table.replace(self._source(table))
        for select, tables in zip(simple, named, strict=True):
            self._note_types(select, tables)
        bound: exp.Expr = holder.this
        bound.pop()
        return bound

    def sql(self, tree: exp.Expr) -> str:
        return dialect.duckdb(self.bind(tree))

    def reference(self, table: exp.Table) -> TableRef:
        """The full name behind a table expression. Raises `invalidQuery` where no dataset is named or defaulted."""
        return self.named_reference(
            [part.name for part in (table.args.get("catalog"), table.args.get("db"), table.this) if part is not None]
        )

    def named_reference(self, names: Sequence[str]) -> TableRef:
        """The full name behind one to three names, however they were quoted."""
        parts = ".".join(names).split(".")
        at = next((index for index, one in enumerate(parts) if one.upper() == "INFORMATION_SCHEMA"), len(parts))
        parts = [*parts[:at], *([".".join(parts[at:])] if at < len(parts) else [])]
        if len(parts) == 1 and self.default is not None:
            return TableRef(*self.default, parts[0])
        if len(parts) == 2:
            return TableRef(self.default.project if self.default else self.project, *parts)
        if len(parts) == 3:
            return TableRef(*parts)
        raise invalid_query(f'Table "{parts[-1]}" must be qualified with a dataset (e.g. dataset.table).')

    def values(self, tree: exp.Expr) -> None:
        """Put values where parameters and clocks stand, below `tree`."""
        for node in list(tree.find_all(exp.Parameter, exp.Placeholder, *NOW)):
            if isinstance(node, exp.Placeholder):
                node.replace(self._next_positional())
            elif isinstance(node, exp.Parameter):
                value = self.named.get(node.name.lower())
                if value is None:
                    raise invalid_query(f"Query parameter '{node.name}' not found")
                node.replace(value.copy())
            elif node.this is None:
                literal = exp.Literal.string(self.now.isoformat(" "))
                node.replace(exp.cast(literal, exp.DataType.build(NOW[type(node)], dialect="duckdb")))

    def _next_positional(self) -> exp.Expr:
        if not self.positional:
            raise invalid_query("Query parameter not found for a positional placeholder")
        return self.positional.pop(0).copy()

    def _tables(self, select: exp.Select) -> set[TableRef]:
        """The tables of a query that holds no other; none where it names something else too."""
        try:
            return {self.reference(table) for table in select.find_all(exp.Table)}
        except BigQueryError:
            return set()

    def _note_types(self, tree: exp.Select, tables: set[TableRef]) -> None:
        """Tell the translation the types of the columns, where no subquery can have given a name another meaning."""
        if not tables <= self.snapshots.keys():
            return
        kinds: dict[str, set[str | None]] = {}
        for ref in tables:
            for column in self.snapshots[ref].fields:
                kinds.setdefault(column.name.lower(), set()).add(column.type if column.mode != "REPEATED" else None)
        for node in tree.find_all(exp.Column):
            if len(kinds.get(node.name.lower(), ())) == 1:
                node.meta["bigquery"] = next(iter(kinds[node.name.lower()]))

    def find(self, table: exp.Table) -> Snapshot | exp.Query | pa.Table | Rows:
        """What a table expression names: a snapshot, a view's query, INFORMATION_SCHEMA, or a query's result."""
        beyond = [key for key, value in table.args.items() if value and key not in PLAIN_TABLE]
        if beyond:
            raise not_served(f"{', '.join(beyond)} on a table")
        ref = self.reference(table)
        if information_schema.names(ref):
            return information_schema.view(self.warehouse, ref)
        rows = self.anonymous(ref)
        if rows is not None:
            return rows
        version = table.args.get("version")
        at = self._instant(version.expression) if version is not None else None
        found = self.warehouse.table(ref)
        if found.view is None:
            return self.warehouse.snapshot(ref, at or self.now)
        if at is not None:
            raise invalid_query(f"FOR SYSTEM_TIME AS OF is not supported on the view {ref}")
        inner = dialect.statements(found.view)[0]
        assert isinstance(inner, exp.Query)
        return inner

    def _source(self, table: exp.Table) -> exp.Expr:
        alias = table.alias or table.name
        if alias.upper().startswith("INFORMATION_SCHEMA.") or ".INFORMATION_SCHEMA." in alias.upper():
            alias = table.name.split(".")[-1]
        source = exp.Var(this=self._relation(self.find(table)))
        return exp.Subquery(this=source, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))

    def _relation(self, found: Snapshot | exp.Query | pa.Table | Rows) -> str:
        """A SELECT without its parentheses."""
        if isinstance(found, Snapshot):
            self.snapshots[found.ref] = found
            self.bignumeric |= any(column.type == "BIGNUMERIC" for column in found.fields)
            return found.sql()[1:-1]
        self.only_tables = False
        if isinstance(found, exp.Query):
            return self.sql(found)
        name = register(self.cursor, found) if isinstance(found, pa.Table) else found.relation(self.cursor)
        return f"SELECT * FROM {name}"

    def _instant(self, expression: exp.Expr) -> datetime:
        """The value of a constant timestamp expression; a literal, the usual one, without asking DuckDB."""
        if isinstance(expression, exp.Cast) and isinstance(expression.this, exp.Literal):
            with suppress(ValueError):
                literal = datetime.fromisoformat(expression.this.name)
                return literal if literal.tzinfo else literal.replace(tzinfo=UTC)
        sql = f"SELECT CAST({self.sql(expression.copy())} AS TIMESTAMPTZ)"
        try:
            value = self.cursor.sql(sql).to_arrow_table().column(0)[0].as_py()
        except duckdb.Error as error:
            raise invalid_query(f"FOR SYSTEM_TIME AS OF needs a constant timestamp: {error}") from None
        if not isinstance(value, datetime):
            raise invalid_query("FOR SYSTEM_TIME AS OF must not be null")
        return value
