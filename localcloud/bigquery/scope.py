"""The world that one statement sees: its parameters, one instant for "now", and every table at one snapshot."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import duckdb
from sqlglot import exp

from . import dialect, information_schema
from .catalog import DatasetRef, Snapshot, TableRef
from .changes import Change
from .errors import BigQueryError, invalid_query, not_served
from .results import Rows, register
from .sizes import billed, logical_bytes
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
    maximum_bytes: int | None = None
    snapshots: dict[TableRef, Snapshot] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    everything: bool = False
    bignumeric: bool = False
    only_tables: bool = True

    def inside(self, change: Change) -> Scope:
        """The same statement seen from a change: its connection, and the tables as they are under its lock."""
        return replace(self, cursor=change.cursor, now=change.now, positional=list(self.positional), only_tables=True)

    def bind(self, tree: exp.Expr) -> exp.Expr:
        """The tree with values for parameters and clocks, and snapshots for tables; for `dialect.duckdb`."""
        holder = exp.Paren(this=tree)
        self._values(holder)
        self._note_columns(holder)
        simple = len(list(holder.find_all(exp.Query))) == 1
        ctes = {cte.alias.lower() for cte in holder.find_all(exp.CTE)}
        for table in list(holder.find_all(exp.Table)):
            if table.args.get("db") is None and table.name.lower() in ctes:
                continue
            if isinstance(table.this, exp.Identifier):
                table.replace(self._source(table))
        if simple:
            self._note_types(holder)
        self._check_bytes()
        bound: exp.Expr = holder.this
        bound.pop()
        return bound

    def sql(self, tree: exp.Expr) -> str:
        return dialect.duckdb(self.bind(tree))

    def reference(self, table: exp.Table) -> TableRef:
        """The full name behind a table expression. Raises `invalidQuery` where no dataset is named or defaulted."""
        parts = [
            part.name for part in (table.args.get("catalog"), table.args.get("db"), table.this) if part is not None
        ]
        if len(parts) == 1 and self.default is not None:
            return TableRef(*self.default, parts[0])
        if len(parts) == 2:
            return TableRef(self.default.project if self.default else self.project, *parts)
        if len(parts) == 3:
            return TableRef(*parts)
        raise invalid_query(f'Table "{table.name}" must be qualified with a dataset (e.g. dataset.table).')

    @property
    def bytes_processed(self) -> int:
        """Logical bytes of the named columns over all rows of the tables read, as BigQuery bills them."""
        wanted = None if self.everything else self.columns
        return sum(logical_bytes(snapshot, wanted, self.cursor) for snapshot in self.snapshots.values())

    def _check_bytes(self) -> None:
        if self.maximum_bytes is not None and billed(self.bytes_processed) > self.maximum_bytes:
            needed = f"{billed(self.bytes_processed)} or higher required."
            text = f"Query exceeded limit for bytes billed: {self.maximum_bytes}. {needed}"
            raise BigQueryError(400, "bytesBilledLimitExceeded", text)

    def _values(self, tree: exp.Expr) -> None:
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

    def _note_columns(self, tree: exp.Expr) -> None:
        self.columns |= {column.name.lower() for column in tree.find_all(exp.Column)}
        for star in tree.find_all(exp.Star):
            self.everything |= not isinstance(star.parent, exp.Count)

    def _note_types(self, tree: exp.Expr) -> None:
        """Tell the translation the types of the columns, where no subquery can have given a name another meaning."""
        kinds: dict[str, set[str | None]] = {}
        for snapshot in self.snapshots.values():
            for column in snapshot.fields:
                kinds.setdefault(column.name.lower(), set()).add(column.type if column.mode != "REPEATED" else None)
        for node in tree.find_all(exp.Column):
            if len(kinds.get(node.name.lower(), ())) == 1:
                node.meta["bigquery"] = next(iter(kinds[node.name.lower()]))

    def _source(self, table: exp.Table) -> exp.Expr:
        beyond = [key for key, value in table.args.items() if value and key not in PLAIN_TABLE]
        if beyond:
            raise not_served(f"{', '.join(beyond)} on a table")
        version = table.args.get("version")
        at = self._instant(version.expression) if version is not None else None
        alias = table.alias or table.name
        if alias.upper().startswith("INFORMATION_SCHEMA.") or ".INFORMATION_SCHEMA." in alias.upper():
            alias = table.name.split(".")[-1]
        source = exp.Var(this=self._relation(table, at))
        return exp.Subquery(this=source, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))

    def _relation(self, table: exp.Table, at: datetime | None) -> str:
        """A SELECT without its parentheses."""
        ref = self.reference(table)
        if information_schema.names(ref):
            self.only_tables = False
            return f"SELECT * FROM {register(self.cursor, information_schema.view(self.warehouse, ref))}"
        rows = self.anonymous(ref)
        if rows is not None:
            self.only_tables = False
            return f"SELECT * FROM {rows.relation(self.cursor)}"
        found = self.warehouse.table(ref)
        if found.view is not None:
            if at is not None:
                raise invalid_query(f"FOR SYSTEM_TIME AS OF is not supported on the view {ref}")
            self.only_tables = False
            inner = dialect.statements(found.view)[0]
            return self.sql(inner)
        snapshot = self.warehouse.snapshot(ref, at or self.now)
        self.snapshots[ref] = snapshot
        self.bignumeric |= any(column.type == "BIGNUMERIC" for column in snapshot.fields)
        return snapshot.sql()[1:-1]

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
