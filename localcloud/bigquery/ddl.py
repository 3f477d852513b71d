"""CREATE, DROP and ALTER."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlglot import exp

from . import query, rules
from .catalog import DatasetRef, Table, TableRef, column_list
from .clock import millis
from .errors import already_exists, invalid_query, not_found, not_served
from .fields import Field, make
from .scope import Scope
from .warehouse import Warehouse

# Accepted and without effect here: nothing expires by partition, nothing is encrypted or refreshed.
IGNORED_OPTIONS = {
    "partition_expiration_days",
    "require_partition_filter",
    "kms_key_name",
    "max_staleness",
    "enable_refresh",
    "refresh_interval_minutes",
    "default_table_expiration_days",
    "max_time_travel_hours",
}


def create(tree: exp.Create, scope: Scope) -> TableRef | None:
    """Run a CREATE and return the table or view that it made."""
    kind, warehouse = str(tree.args["kind"]).upper(), scope.warehouse
    if kind == "SCHEMA":
        dataset = dataset_ref(tree.this, scope)
        if dataset in warehouse.datasets and tree.args.get("exists"):
            return None
        warehouse.create_dataset(dataset, {"location": "US"} | _properties(tree, scope))
        return None
    if kind not in {"TABLE", "VIEW"} or tree.args.get("clone") or tree.find(exp.LikeProperty, exp.TemporaryProperty):
        raise not_served(f"CREATE {kind} of this kind: {tree.sql('bigquery')[:80]}")
    ref = scope.reference(tree.this.this if isinstance(tree.this, exp.Schema) else tree.this)
    with warehouse.turn(ref):
        return _create_table(tree, ref, kind, scope)


def rehearse(tree: exp.Create, scope: Scope) -> None:
    """What a dry run of a CREATE checks: its query and the table's layout."""
    if str(tree.args["kind"]).upper() != "SCHEMA":
        _fields(tree.copy(), _properties(tree, scope), scope)


def _create_table(tree: exp.Create, ref: TableRef, kind: str, scope: Scope) -> TableRef | None:
    warehouse = scope.warehouse
    existing = warehouse.find(ref)
    if existing is not None and tree.args.get("exists"):
        return None
    if existing is not None and not tree.args.get("replace"):
        raise already_exists(f"Table {ref}")
    properties = _properties(tree, scope)
    source = tree.expression.unnest() if tree.args.get("expression") is not None else None
    if kind == "VIEW":
        assert source is not None
        text = source.sql("bigquery")
        warehouse.create_view(ref, text, _fields(tree, properties, scope), properties)
        return ref
    fields = _fields(tree, properties, scope)
    if source is None:
        with warehouse.rebuild(ref, fields, properties):
            return ref
    with warehouse.rebuild(ref, fields, properties) as change:
        sql = scope.inside(change).sql(source)
        change.append(f"({sql}) AS source ({column_list(fields)})", [field.name for field in fields])
    return ref


def _fields(tree: exp.Create, properties: dict[str, Any], scope: Scope) -> tuple[Field, ...]:
    """The columns that are declared, or else those of the query. Raises `invalidQuery` for a layout that cannot be."""
    declared, found = tuple[Field, ...](), tuple[Field, ...]()
    if isinstance(tree.this, exp.Schema):
        declared = tuple(_column(one) for one in tree.this.expressions if isinstance(one, exp.ColumnDef))
    if tree.args.get("expression") is not None:
        source = tree.expression.unnest()
        query.name_columns(source)
        _, found, _ = query.plan(source.copy(), scope)
    fields = declared or found
    rules.partition_expression(tree, fields)
    rules.layout(properties, fields)
    return fields


def drop(tree: exp.Drop, scope: Scope) -> None:
    kind = str(tree.args["kind"]).upper()
    for table in tree.args["tables"]:
        if kind == "SCHEMA":
            ref = dataset_ref(table, scope)
            if ref not in scope.warehouse.datasets and tree.args.get("exists"):
                continue
            scope.warehouse.delete_dataset(ref, contents=bool(tree.args.get("cascade")))
        elif kind in {"TABLE", "VIEW"}:
            name = scope.reference(table)
            if scope.warehouse.find(name) is None:
                if tree.args.get("exists"):
                    continue
                raise not_found(f"Table {name}")
            scope.warehouse.drop_table(name)
        else:
            raise not_served(f"DROP {kind}")


def alter(tree: exp.Alter, scope: Scope) -> TableRef:
    """ADD COLUMN, SET OPTIONS, and of a column DROP NOT NULL and a wider NUMERIC; other changes are refused."""
    ref = scope.reference(tree.this)
    table = scope.warehouse.find(ref)
    if table is None:
        raise not_found(f"Table {ref}")
    for action in tree.args["actions"]:
        if isinstance(action, exp.ColumnDef):
            _add_column(scope.warehouse, table, _column(action), exists=bool(action.args.get("exists")))
        elif isinstance(action, exp.AlterSet):
            scope.warehouse.update_table(table, table.properties | _options(action, scope))
        elif isinstance(action, exp.AlterColumn):
            scope.warehouse.change_column(table, _altered(table, action))
        else:
            raise not_served(f"ALTER TABLE {action.sql('bigquery')}")
    return ref


def dataset_ref(table: exp.Table, scope: Scope) -> DatasetRef:
    """`p.d` or `d`, in one pair of backticks or several."""
    parts = ".".join(part.name for part in (table.args.get("catalog"), table.args.get("db")) if part is not None).split(
        "."
    )
    return DatasetRef(parts[0] if len(parts) == 2 else scope.project, parts[-1])


def _add_column(warehouse: Warehouse, table: Table, field: Field, *, exists: bool) -> None:
    if exists and field.name.lower() in {one.name.lower() for one in table.fields}:
        return
    warehouse.add_columns(table, (field,))


def _altered(table: Table, action: exp.AlterColumn) -> Field:
    """The column as it is to be. Raises `invalidQuery` for a type that cannot hold every value of the present one."""
    held = next((one for one in table.fields if one.name.lower() == action.name.lower()), None)
    if held is None:
        raise not_found(f"Column {action.name} in {table.ref}")
    if action.args.get("drop") and action.args.get("allow_null"):
        return replace(held, mode="NULLABLE")
    kind = action.args.get("dtype")
    if kind is None:
        raise not_served(f"ALTER TABLE {action.sql('bigquery')}")
    wanted = _column(exp.ColumnDef(this=exp.to_identifier(held.name), kind=kind))
    whole, scale = (wanted.precision or 38) - (wanted.scale or 0), wanted.scale or 0
    if wanted.type != held.type or (
        wanted.precision is not None
        and (held.precision is None or scale < (held.scale or 0) or whole < held.precision - (held.scale or 0))
    ):
        raise invalid_query(
            "ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type "
            f"({held.sql_type}) is assignable to the new type ({wanted.sql_type})"
        )
    return replace(held, precision=wanted.precision, scale=wanted.scale)


def _column(definition: exp.ColumnDef) -> Field:
    mode, default, description = "NULLABLE", None, ""
    for constraint in definition.constraints:
        rule = constraint.kind
        if isinstance(rule, exp.NotNullColumnConstraint):
            mode = "REQUIRED"
        elif isinstance(rule, exp.DefaultColumnConstraint):
            default = rule.this.sql("bigquery")
        elif isinstance(rule, exp.Properties):
            description = next((one.args["value"].name for one in rule.expressions if one.name == "description"), "")
    kind = definition.kind
    assert kind is not None
    if kind.this == exp.DType.ARRAY:
        mode, kind = "REPEATED", kind.expressions[0]
    numbers = [int(one.name) for one in kind.expressions if isinstance(one, exp.DataTypeParam)]
    name = exp.DataType(this=kind.this).sql("bigquery")
    limits: dict[str, Any] = {}
    if numbers and name in {"STRING", "BYTES"}:
        limits = {"max_length": numbers[0]}
    elif numbers:
        limits = {"precision": numbers[0], "scale": numbers[1] if len(numbers) > 1 else None}
    return make(definition.name, name, mode=mode, default=default, description=description, **limits)


def _properties(tree: exp.Create, scope: Scope) -> dict[str, Any]:
    """Partitioning, clustering and options, as the REST API names them."""
    out = _options(tree, scope)
    for partitioned in tree.find_all(exp.PartitionedByProperty):
        out |= _partitioning(partitioned.this)
    for clustered in tree.find_all(exp.Cluster, exp.ClusterProperty):
        out["clustering"] = {"fields": [column.name for column in clustered.expressions]}
    location = tree.find(exp.LocationProperty)
    if location is not None:
        out["location"] = location.this.name
    return out


def _partitioning(by: exp.Expr) -> dict[str, Any]:
    if isinstance(by, exp.RangeBucket):
        series = by.expression
        bounds = {key: series.args[key].name for key in ("start", "end")} | {"interval": series.args["step"].name}
        return {"rangePartitioning": {"field": by.this.name, "range": bounds}}
    column = by.find(exp.Identifier)
    if column is None:
        raise invalid_query("PARTITION BY expression must name a column")
    field = {} if column.name.upper().startswith("_PARTITION") else {"field": column.name}
    return {"timePartitioning": {"type": (by.text("unit") or "DAY").upper(), **field}}


def _options(tree: exp.Expr, scope: Scope) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for option in tree.find_all(exp.Property):
        if type(option) is not exp.Property or option.find_ancestor(exp.ColumnDef):
            continue
        name, value = option.name.lower(), option.args["value"]
        if name == "description":
            out["description"] = value.name
        elif name == "friendly_name":
            out["friendlyName"] = value.name
        elif name == "labels":
            out["labels"] = {pair.expressions[0].name: pair.expressions[1].name for pair in value.expressions}
        elif name == "expiration_timestamp":
            out["expirationTime"] = millis(_instant(value, scope))
        elif name not in IGNORED_OPTIONS:
            raise invalid_query(f"Unknown option: {name}")
    return out


def _instant(value: exp.Expr, scope: Scope) -> datetime:
    at = (
        scope.cursor.sql(f"SELECT CAST({scope.sql(value.copy())} AS TIMESTAMPTZ)").to_arrow_table().column(0)[0].as_py()
    )
    assert isinstance(at, datetime)
    return at
