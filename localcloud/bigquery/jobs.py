"""Jobs: begun by a request, run on a thread of their own, kept for as long as the server lives."""

from __future__ import annotations

import sys
import threading
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .catalog import TableRef
from .clock import Clock, millis
from .errors import BigQueryError, already_exists, not_found
from .fields import Field

WORKERS = 16
INTERRUPT_SECONDS = 0.05


@dataclass(slots=True, eq=False)
class Job:
    """`statistics`, `destination` and `error` are final once `done` is set."""

    project: str
    id: str
    configuration: dict[str, Any]
    created: datetime
    location: str = "US"
    ended: datetime | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    destination: TableRef | None = None
    fields: tuple[Field, ...] = ()
    total_rows: int = 0
    error: BigQueryError | None = None
    done: threading.Event = field(default_factory=threading.Event)
    interrupt: Callable[[], None] | None = None
    cancelled: bool = False

    @property
    def reference(self) -> dict[str, str]:
        return {"projectId": self.project, "jobId": self.id, "location": self.location}

    def api(self) -> dict[str, Any]:
        """The Job resource."""
        done = self.done.is_set()
        status: dict[str, Any] = {"state": "DONE" if done else "RUNNING"}
        if done and self.error is not None:
            status |= {"errorResult": self.error.proto(), "errors": [self.error.proto()]}
        times = {"creationTime": millis(self.created), "startTime": millis(self.created)}
        if self.ended is not None:
            times["endTime"] = millis(self.ended)
        kind = next(key for key in ("query", "load", "copy", "extract") if key in self.configuration)
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{self.location}.{self.id}",
            "etag": self.id,
            "selfLink": f"/bigquery/v2/projects/{self.project}/jobs/{self.id}",
            "user_email": "local@example.com",
            "jobReference": self.reference,
            "configuration": {**self.configuration, "jobType": kind.upper()},
            "status": status,
            "statistics": {**(self.statistics if done else {}), **times},
        }


class Jobs:
    """The jobs of all projects, in the order they came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[tuple[str, str], Job] = {}
        self._guard = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="job")

    def start(self, project: str, body: dict[str, Any], work: Callable[[Job], None], *, keep: bool = True) -> Job:
        """Begin a job; raises `duplicate` when its id was used before. `keep` is False for a dry run."""
        reference = body.get("jobReference") or {}
        job_id = reference.get("jobId") or f"job_{uuid.uuid4().hex}"
        job = Job(project, job_id, body["configuration"], self._clock.tick())
        with self._guard:
            if (project, job_id) in self._jobs:
                raise already_exists(f"Job {project}:{job.location}.{job_id}")
            if keep:
                self._jobs[project, job_id] = job
        self._pool.submit(self._run, job, work)
        return job

    def get(self, project: str, job_id: str) -> Job:
        try:
            return self._jobs[project, job_id]
        except KeyError:
            raise not_found(f"Job {project}:US.{job_id}") from None

    def list(self, project: str) -> list[Job]:
        """Newest first."""
        return [job for (owner, _), job in reversed(list(self._jobs.items())) if owner == project]

    def cancel(self, job: Job) -> None:
        """Ask the job to stop; it ends soon after, as `stopped`, unless it is done before."""
        job.cancelled = True
        threading.Thread(target=_interrupt, args=(job,), name=f"cancel {job.id}", daemon=True).start()

    def delete(self, job: Job) -> None:
        with self._guard:
            self._jobs.pop((job.project, job.id), None)

    def close(self) -> None:
        """Stop every job that has not ended."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for job in list(self._jobs.values()):
            if not job.done.is_set():
                self.cancel(job)

    def _run(self, job: Job, work: Callable[[Job], None]) -> None:
        try:
            if job.cancelled:
                raise BigQueryError(400, "stopped", "Job execution was cancelled: User requested cancellation")
            work(job)
        except BigQueryError as error:
            job.error = error
        except Exception as error:  # noqa: BLE001 - a defect of the server must end the job, not leave it running for ever
            traceback.print_exc(file=sys.stderr)
            job.error = BigQueryError(500, "internalError", f"{type(error).__name__}: {error}")
        finally:
            job.ended = self._clock.tick()
            job.done.set()


def _interrupt(job: Job) -> None:
    """DuckDB forgets an interrupt that comes before the query has begun, so it is repeated."""
    while not job.done.wait(INTERRUPT_SECONDS):
        if job.interrupt is not None:
            job.interrupt()
