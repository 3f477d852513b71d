"""REST methods for jobs and queries."""

from __future__ import annotations

from typing import Any

from .catalog import table_ref
from .errors import not_served
from .jobs import Job
from .rest_data import page
from .service import Service
from .wire import Request, Response

# A short job is done when jobs.insert answers, which saves its client a round trip.
INSERT_WAIT_SECONDS = 0.05
QUERY_WAIT_SECONDS = 10.0
QUERY_FIELDS = frozenset({"query", "queryParameters", "defaultDataset", "useLegacySql", "maximumBytesBilled"})


class JobMethods:
    def __init__(self, service: Service) -> None:
        self._service = service

    def insert(self, request: Request) -> Response:
        body, project = request.body.json(), request.segments[3]
        configuration = body.get("configuration") or {}
        if not {"query", "extract"} & set(configuration):
            raise not_served(f"jobs of this kind without an upload: {', '.join(configuration)}")
        job = self._start(project, body)
        job.done.wait(None if configuration.get("dryRun") else INSERT_WAIT_SECONDS)
        if configuration.get("dryRun") and job.error is not None:
            raise job.error
        return Response(job.api())

    def query(self, request: Request) -> Response:
        """jobs.query: a job begun and waited for in one request."""
        body, project = request.body.json(), request.segments[3]
        configuration: dict[str, Any] = {"query": {key: value for key, value in body.items() if key in QUERY_FIELDS}}
        configuration |= {key: body[key] for key in ("labels", "dryRun") if key in body}
        job = self._start(project, {"configuration": configuration})
        query = dict(request.query)
        options = body.get("formatOptions") or {}
        query |= {
            f"formatOptions.{key}": str(value).lower() if value is True else str(value)
            for key, value in options.items()
        }
        query |= {key: str(body[key]) for key in ("maxResults", "timeoutMs") if key in body}
        response = self._results(job, query)
        if configuration.get("dryRun") and response.body is not None:
            response.body.pop("jobReference")
        return response

    def results(self, request: Request) -> Response:
        """jobs.getQueryResults: waits until the job is done, at most `timeoutMs` (10 s)."""
        return self._results(self._job(request, 5), request.query)

    def get(self, request: Request) -> Response:
        return Response(self._job(request, 5).api())

    def list_jobs(self, request: Request) -> Response:
        jobs = self._service.jobs.list(request.segments[3])
        wanted = request.query.get("stateFilter", "").lower()
        entries = [job.api() for job in jobs]
        entries = [entry | {"state": entry["status"]["state"]} for entry in entries]
        entries = [entry for entry in entries if not wanted or entry["state"].lower() == wanted]
        size, start = int(request.query.get("maxResults") or 50), int(request.query.get("pageToken") or 0)
        body: dict[str, Any] = {"kind": "bigquery#jobList", "jobs": entries[start : start + size]}
        if start + size < len(entries):
            body["nextPageToken"] = str(start + size)
        return Response(body)

    def cancel(self, request: Request) -> Response:
        job = self._job(request, 5)
        self._service.jobs.cancel(job)
        return Response({"kind": "bigquery#jobCancelResponse", "job": job.api()})

    def delete(self, request: Request) -> Response:
        self._service.jobs.delete(self._job(request, 5))
        return Response(None, 204)

    def _job(self, request: Request, index: int) -> Job:
        return self._service.jobs.get(request.segments[3], request.segments[index])

    def _start(self, project: str, body: dict[str, Any]) -> Job:
        keep = not body["configuration"].get("dryRun")
        work = self._service.run_extract if "extract" in body["configuration"] else self._service.run_query
        return self._service.jobs.start(project, body, work, keep=keep)

    def _results(self, job: Job, query: dict[str, str]) -> Response:
        timeout = int(query["timeoutMs"]) / 1000 if query.get("timeoutMs") else QUERY_WAIT_SECONDS
        body: dict[str, Any] = {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": job.reference,
            "jobComplete": True,
        }
        if not job.done.wait(timeout):
            return Response(body | {"jobComplete": False})
        if job.error is not None:
            raise job.error
        statistics = job.statistics.get("query") or {}
        copied = (
            "totalBytesProcessed",
            "totalBytesBilled",
            "totalSlotMs",
            "cacheHit",
            "numDmlAffectedRows",
            "dmlStats",
            "statementType",
        )
        body |= {key: statistics[key] for key in copied if key in statistics}
        body["schema"] = {"fields": [field.api() for field in job.fields]}
        body["totalRows"] = str(job.total_rows)
        # With maxResults=0 a client asks only whether the job is done: `rows` would tell it that there are none.
        if job.destination is None or query.get("maxResults") == "0":
            return Response(body)
        rows = self._service.rows(table_ref(job.destination.api))
        return Response(body | page(rows, query))
