"""Tables, parameters and language options as the engine's messages.

The features that are switched off are those that the engine has and BigQuery has not, by its documentation and release
notes (https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax, .../release-notes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from ..fields import ALIASES, Field
from .engine import engine

NOT_IN_BIGQUERY = (
    "LATERAL_COLUMN_REFERENCES",
    "TIMESTAMP_NANOS",
    "TIMESTAMP_PICOS",
    "JSON_TYPE_COMPARISON",
    "MAP_TYPE",
    "LIMIT_OFFSET_EXPRESSIONS",
    "LIMIT_ALL",
    "INSERT_ON_CONFLICT_CLAUSE",
    "UUID_TYPE",
    "FOR_UPDATE",
)
NOT_STATEMENTS = ("RESOLVED_EXPLAIN_STMT", "RESOLVED_SHOW_STMT", "RESOLVED_DESCRIBE_STMT")
ENGINE_NAMES = {"FLOAT64": "DOUBLE"}


@cache
def language() -> Any:
    """BigQuery's dialect: `options_pb2.LanguageOptionsProto`."""
    from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
    from zetasql.wasi._pb2.zetasql.proto import options_pb2
    from zetasql.wasi._pb2.zetasql.public import options_pb2 as public
    from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_node_kind_pb2 as kinds

    request = service.LanguageOptionsRequest(maximum_features=True)
    found = options_pb2.LanguageOptionsProto.FromString(engine().call("GetLanguageOptions", request))
    off = {public.LanguageFeature.Value(f"FEATURE_{name}") for name in NOT_IN_BIGQUERY}
    on = [feature for feature in found.enabled_language_features if feature not in off]
    del found.enabled_language_features[:], found.supported_statement_kinds[:]
    found.enabled_language_features.extend([*on, public.FEATURE_DISALLOW_GROUP_BY_FLOAT])
    statements = (kind for kind in kinds.ResolvedNodeKind.DESCRIPTOR.values if kind.name.endswith("_STMT"))
    found.supported_statement_kinds.extend(kind.number for kind in statements if kind.name not in NOT_STATEMENTS)
    found.product_mode = public.PRODUCT_EXTERNAL
    found.reserved_keywords.append("QUALIFY")
    return found


def analyzer(parameters: Iterable[Mapping[str, Any]]) -> Any:
    """Options for one statement, with its parameters as the REST API describes them."""
    from zetasql.wasi._pb2.zetasql.proto import options_pb2
    from zetasql.wasi._pb2.zetasql.public import options_pb2 as public

    options = options_pb2.AnalyzerOptionsProto(
        language_options=language(), default_timezone="UTC", error_message_mode=public.ERROR_MESSAGE_ONE_LINE
    )
    for parameter in parameters:
        kind = _parameter(parameter["parameterType"])
        if parameter.get("name"):
            options.query_parameters.add(name=parameter["name"].lower(), type=kind)
        else:
            options.parameter_mode = public.PARAMETER_POSITIONAL
            options.positional_query_parameters.append(kind)
    return options


def catalog(tables: Mapping[tuple[str, ...], tuple[Field, ...]], variables: Mapping[str, str]) -> Any:
    """A catalog with tables under the paths that the statement names them by, and a script's variables by type."""
    from zetasql.wasi._pb2.zetasql.proto import simple_catalog_pb2

    root = simple_catalog_pb2.SimpleCatalogProto(name="root")
    root.builtin_function_options.language_options.CopyFrom(language())
    for path, fields in tables.items():
        place = root
        for name in path[:-1]:
            place = next((one for one in place.catalog if one.name == name), None) or place.catalog.add(name=name)
        table = place.table.add(name=path[-1], full_name=".".join(path))
        for field in fields:
            table.column.add(name=field.name, type=_column(field))
    for name, kind in variables.items():
        root.constant.add(name_path=[name], type=_scalar(kind))
    return root


def _column(field: Field) -> Any:
    return _array(_scalar(field.type)) if field.mode == "REPEATED" else _scalar(field.type)


def _parameter(kind: Mapping[str, Any]) -> Any:
    if kind["type"].upper() == "ARRAY":
        return _array(_scalar(kind["arrayType"]["type"]))
    return _scalar(kind["type"])


def _scalar(name: str) -> Any:
    from zetasql.wasi._pb2.zetasql.public import type_pb2

    name = ALIASES.get(name.upper(), name.upper())
    return type_pb2.TypeProto(type_kind=type_pb2.TypeKind.Value(f"TYPE_{ENGINE_NAMES.get(name, name)}"))


def _array(element: Any) -> Any:
    from zetasql.wasi._pb2.zetasql.public import type_pb2

    return type_pb2.TypeProto(type_kind=type_pb2.TYPE_ARRAY, array_type={"element_type": element})
