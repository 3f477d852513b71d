"""REST methods for datasets and tables."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from . import query, rules
from .admission import admit
from .catalog import Dataset, DatasetRef, Table, TableRef
from .clock import millis
from .errors import already_exists, invalid
from .fields import from_api
from .service import Service
from .sizes import logical_bytes
from .wire import Request, Response

# What a client may set and gets back unchanged.
DATASET_PROPERTIES = frozenset(
    {"description", "friendlyName", "labels", "location", "defaultTableExpirationMs", "access"}
)
TABLE_PROPERTIES = frozenset(
    {
        "description",
        "friendlyName",
        "labels",
        "timePartitioning",
        "rangePartitioning",
        "clustering",
        "expirationTime",
        "requirePartitionFilter",
    }
)


class Catalog:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._warehouse = service.warehouse

    def list_projects(self, request: Request) -> Response:
        projects = sorted({ref.project for ref in self._warehouse.datasets})
        entries = [
            {"id": name, "numericId": "1", "projectReference": {"projectId": name}, "friendlyName": name}
            for name in projects
        ]
        return Response({"kind": "bigquery#projectList", "projects": entries, "totalItems": len(entries)})

    def list_datasets(self, request: Request) -> Response:
        project = request.segments[3]
        entries = [_dataset(one) for ref, one in list(self._warehouse.datasets.items()) if ref.project == project]
        return Response({"kind": "bigquery#datasetList", "datasets": entries})

    def insert_dataset(self, request: Request) -> Response:
        body = request.body.json()
        ref = DatasetRef(request.segments[3], body["datasetReference"]["datasetId"])
        made = self._warehouse.create_dataset(ref, {"location": "US"} | _only(body, DATASET_PROPERTIES))
        return Response(_dataset(made))

    def get_dataset(self, request: Request) -> Response:
        return Response(_dataset(self._dataset(request)))

    def patch_dataset(self, request: Request) -> Response:
        dataset = self._dataset(request)
        self._warehouse.update_dataset(dataset, dataset.properties | _only(request.body.json(), DATASET_PROPERTIES))
        return Response(_dataset(dataset))

    def update_dataset(self, request: Request) -> Response:
        dataset = self._dataset(request)
        kept = {"location": dataset.properties.get("location", "US")}
        self._warehouse.update_dataset(dataset, kept | _only(request.body.json(), DATASET_PROPERTIES))
        return Response(_dataset(dataset))

    def delete_dataset(self, request: Request) -> Response:
        ref = DatasetRef(request.segments[3], request.segments[5])
        self._warehouse.delete_dataset(ref, contents=request.query.get("deleteContents") == "true")
        return Response(None, 204)

    def list_tables(self, request: Request) -> Response:
        tables = [self._table_entry(one) for one in list(self._dataset(request).tables.values())]
        size = int(request.query.get("maxResults") or 0) or max(len(tables), 1)
        start = int(request.query.get("pageToken") or 0)
        body: dict[str, Any] = {
            "kind": "bigquery#tableList",
            "totalItems": len(tables),
            "tables": tables[start : start + size],
        }
        if start + size < len(tables):
            body["nextPageToken"] = str(start + size)
        return Response(body)

    def list_routines(self, request: Request) -> Response:
        """None: routines are not served, and dbt asks before it builds."""
        self._dataset(request)
        return Response({"kind": "bigquery#routineList"})

    def insert_table(self, request: Request) -> Response:
        body = request.body.json()
        ref = TableRef(request.segments[3], request.segments[5], body["tableReference"]["tableId"])
        if self._warehouse.find(ref) is not None:
            raise already_exists(f"Table {ref}")
        properties = _only(body, TABLE_PROPERTIES)
        if body.get("view"):
            (statement,), cursor = self._service.statements(body["view"]["query"]), self._warehouse.cursor()
            try:
                scope = self._service.scope(ref.project, {}, cursor)
                admit(statement, scope)
                _, fields, _ = query.plan(statement.tree, scope)
            finally:
                cursor.close()
            return Response(self._table(self._warehouse.create_view(ref, body["view"]["query"], fields, properties)))
        fields = from_api((body.get("schema") or {}).get("fields") or [])
        rules.layout(properties, fields)
        with self._warehouse.rebuild(ref, fields, properties):
            pass
        return Response(self._table(self._warehouse.table(ref)))

    def get_table(self, request: Request) -> Response:
        ref = TableRef(*request.segments[3:8:2])
        rows = self._service.anonymous.find(ref)
        if rows is not None:
            schema = {"fields": [field.api() for field in rows.fields]}
            body = {
                "kind": "bigquery#table",
                "tableReference": ref.api,
                "type": "TABLE",
                "schema": schema,
                "numRows": str(rows.count),
            }
            return Response({**body, "id": str(ref), "location": "US"})
        return Response(self._table(self._warehouse.table(ref)))

    def patch_table(self, request: Request) -> Response:
        """Properties, and new columns at the end of the schema."""
        table, body = self._warehouse.table(TableRef(*request.segments[3:8:2])), request.body.json()
        self._new_columns(table, body)
        self._warehouse.update_table(table, table.properties | _only(body, TABLE_PROPERTIES))
        return Response(self._table(table))

    def update_table(self, request: Request) -> Response:
        table, body = self._warehouse.table(TableRef(*request.segments[3:8:2])), request.body.json()
        self._new_columns(table, body)
        self._warehouse.update_table(table, _only(body, TABLE_PROPERTIES))
        return Response(self._table(table))

    def delete_table(self, request: Request) -> Response:
        ref = self._warehouse.table(TableRef(*request.segments[3:8:2])).ref
        self._warehouse.drop_table(ref)
        return Response(None, 204)

    def _dataset(self, request: Request) -> Dataset:
        return self._warehouse.dataset(DatasetRef(request.segments[3], request.segments[5]))

    def _new_columns(self, table: Table, body: dict[str, Any]) -> None:
        given = from_api((body.get("schema") or {}).get("fields") or [])
        if not given or table.view is not None:
            return
        names = [field.name for field in table.fields]
        if [field.name for field in given[: len(names)]] != names:
            raise invalid(f"Provided Schema does not match Table {table.ref}: columns can only be added at the end")
        self._warehouse.add_columns(table, given[len(names) :])
        for held, said in zip(table.fields, given, strict=True):
            if (held.description, held.policy_tags) != (said.description, said.policy_tags):
                told = replace(held, description=said.description, policy_tags=said.policy_tags)
                self._warehouse.change_column(table, told)

    def _table_entry(self, table: Table) -> dict[str, Any]:
        return {
            "kind": "bigquery#table",
            "id": str(table.ref),
            "tableReference": table.ref.api,
            "type": "TABLE" if table.view is None else "VIEW",
            "creationTime": millis(table.created),
            **table.properties,
        }

    def _table(self, table: Table) -> dict[str, Any]:
        body = self._table_entry(table) | {
            "etag": hashlib.sha256(f"{table.ref}{table.modified}".encode()).hexdigest()[:24],
            "location": self._warehouse.dataset(table.ref.parent).properties.get("location", "US"),
            "lastModifiedTime": millis(table.modified),
            "schema": {"fields": [field.api() for field in table.fields]},
        }
        if table.view is not None:
            return body | {"view": {"query": table.view, "useLegacySql": False}}
        snapshot, cursor = table.snapshot(), self._warehouse.cursor()
        try:
            size = logical_bytes(snapshot, None, cursor)
        finally:
            cursor.close()
        return body | {"numRows": str(snapshot.count), "numBytes": str(size)}


def _dataset(dataset: Dataset) -> dict[str, Any]:
    return {
        "kind": "bigquery#dataset",
        "id": str(dataset.ref),
        "etag": hashlib.sha256(f"{dataset.ref}{dataset.modified}".encode()).hexdigest()[:24],
        "datasetReference": {"projectId": dataset.ref.project, "datasetId": dataset.ref.dataset},
        "creationTime": millis(dataset.created),
        "lastModifiedTime": millis(dataset.modified),
        **dataset.properties,
    }


def _only(body: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name in names}
