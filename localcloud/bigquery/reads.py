"""What a statement reads: of which tables which columns, and which partitions of them, hence how many bytes.

Every statement is first written as the query that reads the same, then its columns are resolved, those that nothing
needs are left out and its conditions are moved to the tables, all by sqlglot's optimizer; what is left at a table is
what BigQuery's dry run counts. A query that the optimizer cannot follow counts whole tables.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_predicates import pushdown_predicates
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope as QueryScope
from sqlglot.optimizer.scope import traverse_scope

from . import dialect, dml, partitions
from .catalog import Snapshot
from .errors import BigQueryError
from .partitions import Partitioning
from .scope import Scope
from .sizes import billed, logical_bytes

OWN = "read_of_table_"


@dataclass(slots=True)
class Read:
    """One table at one snapshot: the columns that are needed (None: all) and the rows whose partitions are read."""

    snapshot: Snapshot
    columns: set[str] | None = field(default_factory=set)
    conditions: list[str] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The partitions that any mention of the table needs; empty: all."""
        return "" if "" in self.conditions else " OR ".join(f"({one})" for one in self.conditions)


@dataclass(frozen=True, slots=True)
class Bill:
    """Bytes of each table that a statement reads or, for UPDATE, DELETE and MERGE, rewrites."""

    tables: tuple[int, ...] = ()

    @property
    def processed(self) -> int:
        return sum(self.tables)

    @property
    def billed(self) -> int:
        return billed(self.tables)

    def plus(self, other: Bill) -> Bill:
        """The bill of two statements of a script, each billed for itself."""
        return Bill((*self.tables, *other.tables))


NOTHING = Bill()


def bill(tree: exp.Expr, scope: Scope) -> Bill:
    """The bytes of a statement. Raises `bytesBilledLimitExceeded` where they are more than the job allows.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax, "On-demand query size calculation": what
    UPDATE, DELETE and MERGE change is counted once more, with all columns of the partitions that are read. A table that
    is named twice at one instant is counted once.
    """
    found = _reads(tree, scope)
    sizes = [logical_bytes(one.snapshot, one.columns, scope.cursor, one.where) for one in found]
    if dml.rewrites(tree):
        ref = scope.reference(dml.target(tree))
        sizes = [
            size + (logical_bytes(one.snapshot, None, scope.cursor, one.where) if one.snapshot.ref == ref else 0)
            for one, size in zip(found, sizes, strict=True)
        ]
    made = Bill(tuple(sizes))
    if scope.maximum_bytes is not None and made.billed > scope.maximum_bytes:
        text = f"Query exceeded limit for bytes billed: {scope.maximum_bytes}. {made.billed} or higher required."
        raise BigQueryError(400, "bytesBilledLimitExceeded", text)
    return made


def _reads(tree: exp.Expr, scope: Scope) -> list[Read]:
    query = _as_query(tree)
    if query is None:
        return []
    reads: dict[Snapshot, Read] = {}
    named: dict[str, Read] = {}
    query = _prepared(query, scope, reads, named)
    try:
        schema: dict[str, object] = {
            name: {f.name.lower(): f.type for f in read.snapshot.fields} for name, read in named.items()
        }
        query = qualify(
            query, dialect="bigquery", schema=schema, validate_qualify_columns=False, quote_identifiers=False
        )
        query = pushdown_predicates(pushdown_projections(query), dialect="bigquery")
        for part in traverse_scope(query):
            _note(part, named, scope)
    except SqlglotError:
        for read in named.values():
            read.columns, read.conditions = None, [""]
    return list(reads.values())


def _prepared(query: exp.Query, scope: Scope, reads: dict[Snapshot, Read], named: dict[str, Read]) -> exp.Query:
    """The query with values for parameters, views written out, and a name of its own for every mention of a table."""
    holder = exp.Paren(this=query)
    scope.values(holder)
    numbers = itertools.count()
    ctes = {cte.alias.lower() for cte in holder.find_all(exp.CTE)}
    while True:
        open_ones = (one for one in holder.find_all(exp.Table) if _is_open(one, ctes))
        table = next(open_ones, None)
        if table is None:
            prepared = holder.this
            assert isinstance(prepared, exp.Query)
            return prepared
        alias = exp.TableAlias(this=exp.to_identifier(table.alias or table.name, quoted=True))
        found = scope.find(table)
        if isinstance(found, exp.Query):
            scope.values(found)
            table.replace(exp.Subquery(this=found, alias=alias))
            continue
        name = f"{OWN}{next(numbers)}"
        table.replace(exp.Table(this=exp.to_identifier(name), alias=alias))
        if isinstance(found, Snapshot):
            named[name] = reads.setdefault(found, Read(found))


def _is_open(table: exp.Table, ctes: set[str]) -> bool:
    if not isinstance(table.this, exp.Identifier) or table.name.startswith(OWN):
        return False
    return table.args.get("db") is not None or table.name.lower() not in ctes


def _note(part: QueryScope, named: dict[str, Read], scope: Scope) -> None:
    """Add what one SELECT of the query needs of its tables."""
    columns = [*part.columns, *part.find_all(exp.Column)]
    rows = {one.name for one in part.find_all(exp.TableColumn)}
    for alias, (_, source) in part.selected_sources.items():
        read = named.get(source.name) if isinstance(source, exp.Table) else None
        if read is None:
            continue
        if alias in rows:
            read.columns = None
        elif read.columns is not None:
            for column in columns:
                if column.table == alias or column.table not in part.sources:
                    read.columns |= {column.name.lower(), column.table.lower()}
        by = Partitioning.of(scope.warehouse.table(read.snapshot.ref).properties, read.snapshot.fields)
        filters = _filters(part.expression, alias)
        read.conditions.append(partitions.condition(filters, alias, by, dialect.duckdb) if by else "")


def _filters(select: exp.Expr, alias: str) -> list[exp.Expr]:
    """What every row of the table must satisfy to count: WHERE, and ON where a join does not keep the row anyway."""
    where = select.args.get("where")
    found = [where.this] if where else []
    first, seen = select.args.get("from_"), False
    for join in select.args.get("joins") or []:
        mine = join.this.alias_or_name == alias
        before = seen or (first is not None and first.this.alias_or_name == alias)
        side = (join.side or "").upper()
        kept = side == "FULL" or (side == "LEFT" and before) or (side == "RIGHT" and mine)
        if (mine or before) and not kept and join.args.get("on") is not None:
            found.append(join.args["on"])
        seen = seen or mine
    return found


def _as_query(tree: exp.Expr) -> exp.Query | None:
    """The query that reads what the statement reads; None for one that reads nothing."""
    source: exp.Expr | None
    if isinstance(tree, exp.Query):
        return None if _has_no_rows(tree) else tree.copy()
    if isinstance(tree, exp.Create):
        source = tree.args.get("expression") if str(tree.args["kind"]).upper() == "TABLE" else None
        source = source.unnest().copy() if source is not None else None
        return source if isinstance(source, exp.Query) else None
    if isinstance(tree, exp.Insert):
        source = tree.expression.unnest().copy() if tree.expression is not None else None
        return source if isinstance(source, exp.Query) else None
    if isinstance(tree, exp.Delete | exp.Update):
        query = _select([one.expression for one in tree.expressions], dml.target(tree))
        if tree.args.get("where") is not None:
            query = query.where(tree.args["where"].this)
        source = tree.args.get("from_")
        return query.join(source.this.copy(), join_type="cross") if source is not None else query
    return _merge(tree) if isinstance(tree, exp.Merge) else None


def _has_no_rows(query: exp.Query) -> bool:
    """Whether a query ends in LIMIT 0, and costs nothing. Within another statement it would cost what it reads.

    https://github.com/dbt-labs/dbt-bigquery/issues/487
    """
    limit = query.args.get("limit")
    return limit is not None and limit.expression == exp.Literal.number(0)


def _merge(tree: exp.Merge) -> exp.Query:
    """MERGE as a join, which prunes the target as https://cloud.google.com/bigquery/docs/using-dml-with-partitioned-tables
    says: by the ON clause where no row is looked for that has no source, and by the WHEN clauses where all of them name
    partitions of the target and no row of the source needs to be looked up in it.
    """
    target, using, on, whens = dml.target(tree), tree.args["using"], tree.args["on"], tree.args["whens"].expressions
    values = [one for when in whens for one in _values(when)]
    conditions = [when.args["condition"] for when in whens if when.args.get("condition") is not None]
    by_source = [when for when in whens if when.args.get("source") and not when.args.get("matched")]
    inserts = [when for when in whens if not when.args.get("source") and not when.args.get("matched")]
    if isinstance(on.unnest(), exp.Boolean) and not on.unnest().this:
        kept = [when.args.get("condition") or exp.true() for when in by_source]
        target_side = _select([], target).where(exp.or_(*kept) if kept else exp.false())
        inserted = [one for when in inserts for one in (*_values(when), when.args.get("condition")) if one is not None]
        return exp.union(target_side, _select([exp.Struct(expressions=inserted)], using), distinct=False)
    side = "full" if by_source and inserts else "left" if by_source else "right" if inserts else "inner"
    query = _select([*values, *conditions], target).join(using.copy(), on=on.copy(), join_type=side)
    conditional = [when.args.get("condition") for when in whens]
    if not inserts and all(conditional):
        query = query.where(exp.or_(*[one.copy() for one in conditional if one is not None]))
    return query


def _values(when: exp.When) -> list[exp.Expr]:
    action = when.args["then"]
    if isinstance(action, exp.Update):
        return [one.expression for one in action.expressions]
    if not isinstance(action, exp.Insert):
        return []
    if isinstance(action.this, exp.Var):  # INSERT ROW
        return [exp.Star()]
    rows = action.expression
    return list(rows.expressions[0].expressions if isinstance(rows, exp.Values) else rows.expressions)


def _select(values: list[exp.Expr], table: exp.Expr) -> exp.Select:
    named = [exp.alias_(one.copy(), f"value{number}") for number, one in enumerate(values) if not dml.is_default(one)]
    return exp.select(*(named or [exp.Literal.number(1)])).from_(table.copy())
