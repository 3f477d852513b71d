"""REST methods for rows: tabledata.list and tabledata.insertAll."""

from __future__ import annotations

from typing import Any

import duckdb

from . import cells, results
from .catalog import TableRef
from .errors import BigQueryError, from_duckdb, invalid
from .fields import Field
from .results import Rows
from .service import Service
from .wire import Request, Response

PAGE_ROWS = 50_000


def page(rows: Rows, query: dict[str, str]) -> dict[str, Any]:
    """One page of rows as `rows`, with `pageToken` where there are more; the token is the next row's number."""
    start = int(query.get("pageToken") or query.get("startIndex") or 0)
    size = min(int(query.get("maxResults") or PAGE_ROWS), PAGE_ROWS)
    timestamp = "float"
    if query.get("formatOptions.useInt64Timestamp", "").lower() == "true":
        timestamp = "int64"
    elif query.get("formatOptions.timestampOutputFormat") in {"INT64", "ISO8601_STRING"}:
        timestamp = query["formatOptions.timestampOutputFormat"].lower().removesuffix("_string")
    found = [row for batch in rows.batches(start, size) for row in cells.rows(batch, rows.fields, timestamp)]
    body: dict[str, Any] = {"totalRows": str(rows.count), "rows": found}
    if start + len(found) < rows.count and found:
        body["pageToken"] = str(start + len(found))
    return body


class Data:
    def __init__(self, service: Service) -> None:
        self._service = service

    def list_rows(self, request: Request) -> Response:
        rows = self._service.rows(TableRef(*request.segments[3:8:2]))
        selected = request.query.get("selectedFields")
        if selected:
            cursor = self._service.warehouse.cursor()
            try:
                rows = results.select(rows, selected.split(","), None, cursor)
            finally:
                cursor.close()
        if request.query.get("maxResults") == "0":
            return Response({"kind": "bigquery#tableDataList", "totalRows": str(rows.count)})
        return Response({"kind": "bigquery#tableDataList"} | page(rows, request.query))

    def insert_all(self, request: Request) -> Response:
        """Streaming insert: all rows or, with an error for each that is bad, none (or the good ones, when so asked)."""
        ref, body = TableRef(*request.segments[3:8:2]), request.body.json()
        fields, rows = self._service.warehouse.table(ref).fields, [entry["json"] for entry in body.get("rows") or []]
        ignore = bool(body.get("ignoreUnknownValues"))
        if not rows:
            raise invalid("No rows present in the request.")
        errors = {index: found for index, row in enumerate(rows) if (found := _problems(row, fields, ignore=ignore))}
        if not errors:
            errors = self._append(ref, rows, ignore=ignore)
        elif body.get("skipInvalidRows"):
            good = [row for index, row in enumerate(rows) if index not in errors]
            if good:
                self._append(ref, good, ignore=ignore)
        if errors and not body.get("skipInvalidRows"):
            stopped = [{"reason": "stopped", "location": "", "debugInfo": "", "message": ""}]
            errors = {index: errors.get(index, stopped) for index in range(len(rows))}
        answer: dict[str, Any] = {"kind": "bigquery#tableDataInsertAllResponse"}
        if errors:
            answer["insertErrors"] = [{"index": index, "errors": found} for index, found in sorted(errors.items())]
        return Response(answer)

    def _append(self, ref: TableRef, rows: list[dict[str, Any]], *, ignore: bool) -> dict[int, list[dict[str, str]]]:
        try:
            self._service.writer.append_json(ref, rows, ignore_unknown=ignore)
        except duckdb.Error as error:
            return {0: [_problem("", from_duckdb(error).message)]}
        except BigQueryError as error:
            if error.status != 400:
                raise
            return {0: [_problem("", error.message)]}
        return {}


def _problems(row: dict[str, Any], fields: tuple[Field, ...], *, ignore: bool) -> list[dict[str, str]]:
    given = {name.lower() for name, value in row.items() if value is not None}
    missing = [field.name for field in fields if field.mode == "REQUIRED" and field.name.lower() not in given]
    known = {field.name.lower() for field in fields}
    unknown = [] if ignore else [name for name in row if name.lower() not in known]
    found = [_problem(name, f"Missing required field: {name}.") for name in missing]
    return found + [_problem(name, f"no such field: {name}.") for name in unknown]


def _problem(location: str, message: str) -> dict[str, str]:
    return {"reason": "invalid", "location": location, "debugInfo": "", "message": message}
