"""The REST API's methods by verb and path. What is not in the table is answered with 501."""

from __future__ import annotations

from .rest_catalog import Catalog
from .rest_data import Data
from .rest_jobs import JobMethods
from .service import Service
from .uploads import Uploads
from .wire import Answer, Request, Response, Route

PREFIXES = (("bigquery", "v2"), ("upload", "bigquery", "v2"), ("resumable", "upload", "bigquery", "v2"))


class Rest:
    def __init__(self, service: Service) -> None:
        catalog, data, jobs = Catalog(service), Data(service), JobMethods(service)
        uploads = Uploads(service)
        self._service = service
        dataset, table = "projects/*/datasets/*", "projects/*/datasets/*/tables/*"
        methods: list[tuple[str, str, str, Answer]] = [
            ("GET", "projects", "projects.list", catalog.list_projects),
            ("GET", "projects/*/datasets", "datasets.list", catalog.list_datasets),
            ("POST", "projects/*/datasets", "datasets.insert", catalog.insert_dataset),
            ("GET", dataset, "datasets.get", catalog.get_dataset),
            ("PATCH", dataset, "datasets.patch", catalog.patch_dataset),
            ("PUT", dataset, "datasets.update", catalog.update_dataset),
            ("DELETE", dataset, "datasets.delete", catalog.delete_dataset),
            ("GET", f"{dataset}/routines", "routines.list", catalog.list_routines),
            ("GET", f"{dataset}/tables", "tables.list", catalog.list_tables),
            ("POST", f"{dataset}/tables", "tables.insert", catalog.insert_table),
            ("GET", table, "tables.get", catalog.get_table),
            ("PATCH", table, "tables.patch", catalog.patch_table),
            ("PUT", table, "tables.update", catalog.update_table),
            ("DELETE", table, "tables.delete", catalog.delete_table),
            ("GET", f"{table}/data", "tabledata.list", data.list_rows),
            ("POST", f"{table}/insertAll", "tabledata.insertAll", data.insert_all),
            ("GET", "projects/*/jobs", "jobs.list", jobs.list_jobs),
            ("POST", "projects/*/jobs", "jobs.insert", jobs.insert),
            ("GET", "projects/*/jobs/*", "jobs.get", jobs.get),
            ("POST", "projects/*/jobs/*/cancel", "jobs.cancel", jobs.cancel),
            ("DELETE", "projects/*/jobs/*/delete", "jobs.delete", jobs.delete),
            ("POST", "projects/*/queries", "jobs.query", jobs.query),
            ("GET", "projects/*/queries/*", "jobs.getQueryResults", jobs.results),
            ("POST", "upload/projects/*/jobs", "jobs.insert", uploads.begin),
            ("PUT", "upload/projects/*/jobs", "jobs.insert", uploads.proceed),
            ("POST", "_faults", "_faults.add", self._add_fault),
            ("DELETE", "_faults", "_faults.clear", self._clear_faults),
        ]
        self._table = [(verb, tuple(path.split("/")), Route(name, answer)) for verb, path, name, answer in methods]

    def find(self, request: Request) -> Route | None:
        """The method that a request means."""
        segments = request.segments
        for prefix in PREFIXES:
            if segments[: len(prefix)] == prefix:
                segments = (("upload",) if "upload" in prefix else ()) + segments[len(prefix) :]
                break
        for verb, path, route in self._table:
            if verb != request.method or len(path) != len(segments):
                continue
            if all(want in {"*", got} for want, got in zip(path, segments, strict=True)):
                return route
        return None

    def _add_fault(self, request: Request) -> Response:
        self._service.faults.add(request.body.json())
        return Response({})

    def _clear_faults(self, request: Request) -> Response:
        self._service.faults.clear()
        return Response({})
