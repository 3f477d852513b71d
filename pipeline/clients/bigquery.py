"""The warehouse: the only importer of BigQuery; rows come over its Storage Read API, see `reads`.

Everything is asked at one snapshot. Rows arrive as Arrow batches over one gRPC stream, with a deadline from the
invocation's budget, so that a stalled stream ends by itself and nothing is left open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from typing import Final

import grpc
import pyarrow as pa
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery import DEFAULT_RETRY
from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY
from requests import exceptions as http
from requests.adapters import HTTPAdapter

from pipeline.budget import Budget
from pipeline.clients import queries, reads, refusals
from pipeline.clients.counts import HourCount, HourTotals, PartCount, Readiness, RowChanges, Waiting, plain
from pipeline.clients.deadline import bounded_session, unanswered
from pipeline.clients.reads import CALL_SECONDS
from pipeline.clients.reads import SERVICE as SERVICE
from pipeline.clients.retries import noted
from pipeline.contracts.dataset import Dataset
from pipeline.errors import ContractInvalid, SourceUnavailable
from pipeline.settings import Settings
from pipeline.window import Window

SMALL_BYTES: Final = 64 * 1024 * 1024
"""Estimated bytes of a file whose rows are read from the table itself, about a second's work of one stream. More rows
are selected by a job, which filters the whole table with many machines at a time."""

Parameters = Sequence[bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter]


class Connections:
    """The REST and the Storage Read client of one process, made on first use and kept, with their open connections."""

    def __init__(self, settings: Settings) -> None:
        self._project = settings.google_cloud_project
        self._rest = settings.bigquery_emulator_host
        self._grpc = settings.bigquery_storage_emulator_host
        self._pool = HTTPAdapter()

    def within(self, budget: Budget) -> bigquery.Client:
        """A REST client whose requests keep to the budget of one run."""
        credentials = self._process._credentials
        session = bounded_session(credentials, self._pool, budget)
        return bigquery.Client(self._project, credentials=credentials, client_options=self._options, _http=session)

    @cached_property
    def reader(self) -> reads.Client:
        """The Storage Read client; each call is given its own time."""
        return reads.client(self._grpc)

    @cached_property
    def _process(self) -> bigquery.Client:
        credentials = AnonymousCredentials() if self._rest else None
        return bigquery.Client(self._project, credentials=credentials, client_options=self._options)

    @property
    def _options(self) -> dict[str, str]:
        return {"api_endpoint": self._rest} if self._rest else {}


class Source:
    """Reads one dataset of one project, within the budget of one run."""

    def __init__(self, connections: Connections, settings: Settings, budget: Budget) -> None:
        self.warehouse = settings.warehouse
        self._project = settings.google_cloud_project
        self._max_bytes_billed = settings.max_bytes_billed
        self._connections = connections
        self._budget = budget

    @cached_property
    def _client(self) -> bigquery.Client:
        return self._connections.within(self._budget)

    def readiness(self, dataset: Dataset) -> Readiness:
        """How far the dataset is complete now. Raises SourceUnavailable, OutOfTime."""
        (row,) = self._query(queries.readiness(dataset, self.warehouse), _named(dataset), dataset, "readiness")
        return Readiness(row["complete_until"], row["snapshot"])

    def waiting(self) -> dict[str, Waiting]:
        """The rows in quarantine by dataset; none where there is no such table. Raises SourceUnavailable, OutOfTime."""
        with self._mapped(None, "waiting"):
            try:
                rows = self._rows(queries.waiting(self.warehouse), (), "all", "waiting")
            except api.NotFound:
                return {}
        return {row["dataset"]: Waiting(row["row_count"], row["waiting_since"]) for row in rows}

    def look(self, dataset: Dataset, window: Window) -> tuple[Readiness, PartCount]:
        """How far the dataset is complete, and what the window holds now, in one query.

        Raises SourceUnavailable, OutOfTime.
        """
        parameters = [*_bounds(window), *_named(dataset)]
        (row,) = self._query(queries.look(dataset, self.warehouse), parameters, dataset, "look")
        return Readiness(row["complete_until"], row["snapshot"]), PartCount.of(dict(row.items()), dataset.totals)

    def count(self, dataset: Dataset, window: Window, snapshot: datetime, *, parts: int = 1) -> list[PartCount]:
        """What the window holds at the snapshot, by part; parts without rows are left out.

        Raises SourceUnavailable, OutOfTime.
        """
        sql = queries.totals(dataset, self.warehouse, snapshot, parts)
        rows = self._query(sql, _bounds(window), dataset, "count")
        return [PartCount.of(dict(row.items()), dataset.totals) for row in rows]

    def hours(self, dataset: Dataset, windows: Sequence[Window], snapshot: datetime) -> dict[datetime, HourCount]:
        """What each hour of the windows, which are in order, holds at the snapshot; hours without rows are left out."""
        sql = queries.hours(dataset, self.warehouse, snapshot, windows)
        rows = self._query(sql, _bounds(*windows), dataset, "hours")
        return {
            row["hour"]: HourCount(HourTotals.of(dict(row.items())), plain(row["fingerprint"]) or "0") for row in rows
        }

    def hour_totals(
        self, dataset: Dataset, windows: Sequence[Window], snapshot: datetime
    ) -> dict[datetime, HourTotals]:
        """Rows and times of change of each hour: reads one column and those of the filter, where `hours` reads all."""
        sql = queries.hour_totals(dataset, self.warehouse, snapshot, windows)
        rows = self._query(sql, _bounds(*windows), dataset, "hour-totals")
        return {row["hour"]: HourTotals.of(dict(row.items())) for row in rows}

    def changes(self, dataset: Dataset, window: Window, before: datetime, now: datetime) -> RowChanges:
        """How the rows of the window differ between two snapshots, joined in the warehouse.

        Raises SourceUnavailable, OutOfTime.
        """
        bounds = _bounds(window)
        with self._mapped(dataset, "hashes"):
            job = self._finished(queries.hashes(dataset, self.warehouse, before), bounds, dataset, "hashes")
        kept = f"{job.destination.project}.{job.destination.dataset_id}.{job.destination.table_id}"
        (row,) = self._query(queries.compared(dataset, self.warehouse, kept, now), bounds, dataset, "compared")
        moved = queries.moved(dataset, self.warehouse, kept, now)
        found = self._query(moved, bounds, dataset, "moved") if row["gone"] else []
        return RowChanges(row["added"], row["altered"], row["gone"], sum(one["row_count"] for one in found))

    def batches(
        self,
        dataset: Dataset,
        window: Window,
        snapshot: datetime,
        *,
        part: int = 1,
        parts: int = 1,
        rows_bytes: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The rows of one part as Arrow batches, columns under the file's names, one batch in memory at a time.

        Where it is known that the rows take few bytes, they are read from the table itself: a job that first selects
        them takes longer than reading them, and is billed. Raises SourceUnavailable, OutOfTime.
        """
        if parts == 1 and rows_bytes is not None and rows_bytes <= SMALL_BYTES:
            try:
                yield from self._read_table(dataset, window, snapshot)
                return
            except reads.FilterRefused:  # before the first row
                pass
        sql = queries.extract(dataset, self.warehouse, snapshot, part, parts)
        yield from self._read(sql, _bounds(window), dataset, "extract")

    def table_is_readable(self, dataset: Dataset) -> None:
        """Proves that the table and its watermark can be read, all columns of them. Raises SourceUnavailable."""
        snapshot = self.readiness(dataset).snapshot
        hour = Window.last_full_hour_before(snapshot)
        self.look(dataset, hour)
        for _ in self.batches(dataset, hour, snapshot, part=1, parts=1_000_000):
            return

    def types(self, dataset: Dataset) -> dict[str, str]:
        """The table's types of the contract's columns, and of its filter under FILTER; nothing is read or billed.

        Raises ContractInvalid with BigQuery's sentence, which can quote only the contract, where it refuses the
        filter or a column, and SourceUnavailable.
        """
        with self._mapped(dataset, "types"):
            try:
                job = self._client.query(
                    queries.types(dataset, self.warehouse),
                    job_config=bigquery.QueryJobConfig(dry_run=True, use_query_cache=False),
                    timeout=self._budget.one_try(CALL_SECONDS),
                    retry=self._retry(DEFAULT_RETRY),
                    job_retry=None,
                )
            except api.BadRequest as error:
                said = (error.errors or [{}])[0].get("message", "")
                raise ContractInvalid(
                    f"BigQuery refuses the filter or a column of {dataset.name}: {said}. Correct the contract, or the "
                    f"table {self.warehouse}.{dataset.table}."
                ) from None
        return {field.name: queries.SQL_TYPES.get(field.field_type, field.field_type) for field in job.schema or ()}

    def _config(self, parameters: Parameters, dataset: str, purpose: str) -> bigquery.QueryJobConfig:
        return bigquery.QueryJobConfig(
            query_parameters=parameters,
            use_query_cache=False,
            maximum_bytes_billed=self._max_bytes_billed,
            labels={"pipeline": "amazon-pspp", "dataset": dataset.lower()[:63], "purpose": purpose},
            job_timeout_ms=int(self._budget.left() * 1000),
        )

    def _query(self, sql: str, parameters: Parameters, dataset: Dataset, purpose: str) -> list[bigquery.Row]:
        with self._mapped(dataset, purpose):
            return self._rows(sql, parameters, dataset.name, purpose)

    def _rows(self, sql: str, parameters: Parameters, dataset: str, purpose: str) -> list[bigquery.Row]:
        return list(
            self._client.query_and_wait(
                sql,
                job_config=self._config(parameters, dataset, purpose),
                api_timeout=self._budget.one_try(CALL_SECONDS),
                wait_timeout=self._budget.left(),
                retry=self._retry(DEFAULT_RETRY),
                job_retry=self._retry(DEFAULT_JOB_RETRY),
            )
        )

    def _finished(self, sql: str, parameters: Parameters, dataset: Dataset, purpose: str) -> bigquery.QueryJob:
        """A job that has ended, its result in a table that BigQuery keeps for a day."""
        job = self._client.query(
            sql,
            job_config=self._config(parameters, dataset.name, purpose),
            job_id_prefix=f"pspp-{purpose}-",
            timeout=self._budget.one_try(CALL_SECONDS),
            retry=self._retry(DEFAULT_RETRY),
            job_retry=None,
        )
        try:
            job.result(timeout=self._budget.left(), retry=self._retry(DEFAULT_RETRY), job_retry=None)
        except BaseException:
            self._cancel(job)
            raise
        return job

    def _read(self, sql: str, parameters: Parameters, dataset: Dataset, purpose: str) -> Iterator[pa.RecordBatch]:
        with self._mapped(dataset, purpose):
            job = self._finished(sql, parameters, dataset, purpose)
            yield from reads.batches(
                self._connections.reader, reads.whole(job.destination.path), self._project, self._budget
            )

    def _read_table(self, dataset: Dataset, window: Window, snapshot: datetime) -> Iterator[pa.RecordBatch]:
        """The rows of the window from the table itself. Raises Refused where the service does not take the filter."""
        wanted = reads.of_table(dataset, self.warehouse, window, snapshot)
        names = [column.name for column in dataset.columns]
        with self._mapped(dataset, "extract"):
            for batch in reads.batches(self._connections.reader, wanted, self._project, self._budget):
                picked = batch.select([column.source for column in dataset.columns])
                yield picked.rename_columns(names)

    def _retry(self, retry: Retry) -> Retry:
        """The client's own retry, for as long as the service is waited for."""
        return noted(retry.with_timeout(self._budget.waiting()), SERVICE, self._budget)

    @contextmanager
    def _mapped(self, dataset: Dataset | None, purpose: str) -> Iterator[None]:
        table = f"{self.warehouse}.{dataset.table if dataset else queries.QUARANTINE}"
        try:
            yield
        except api.NotFound:
            other = f" or {dataset.watermark}" if dataset and dataset.watermark else ""
            raise SourceUnavailable(f"BigQuery does not find {table}{other}.") from None
        except (api.GoogleAPICallError, api.RetryError) as error:
            answer = error.cause if isinstance(error, api.RetryError) and error.cause else error
            if not isinstance(answer, api.GoogleAPICallError) or isinstance(answer, api.ServiceUnavailable):
                raise unanswered(SourceUnavailable, SERVICE, purpose, error, self._budget) from None
            reason = ((getattr(answer, "errors", None) or [{}])[0] or {}).get("reason", "")
            kind = {"forbidden": isinstance(answer, api.Forbidden), "wrong": isinstance(answer, api.BadRequest)}
            raise SourceUnavailable(refusals.sentence(answer, reason, **kind, purpose=purpose, table=table)) from None
        except (grpc.RpcError, auth.GoogleAuthError, http.RequestException, TimeoutError, OSError) as error:
            raise unanswered(SourceUnavailable, SERVICE, purpose, error, self._budget) from None

    def _cancel(self, job: bigquery.QueryJob) -> None:
        with suppress(api.GoogleAPICallError, http.RequestException, OSError):  # the job's own timeout ends it
            job.cancel(retry=None, timeout=5)


def _named(dataset: Dataset) -> Parameters:
    return [bigquery.ScalarQueryParameter("dataset", "STRING", dataset.name)] if dataset.watermark else []


def _bounds(*windows: Window) -> Parameters:
    return [
        bigquery.ScalarQueryParameter("start", "TIMESTAMP", windows[0].start),
        bigquery.ScalarQueryParameter("end", "TIMESTAMP", windows[-1].end),
    ]
