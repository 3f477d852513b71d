"""What the two front ends share: queries, loads and reads over one warehouse."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from . import dialect, extract, parameters, results, statements
from .anonymous import Anonymous
from .catalog import DatasetRef, TableRef, table_ref
from .errors import BigQueryError, not_served
from .faults import Faults
from .fields import Field
from .googlesql.gate import Gate
from .jobs import Job, Jobs
from .scope import Scope
from .warehouse import Warehouse
from .writes import Writer


class Service:
    """One local BigQuery. `database` is DuckDB's file or None; `storage` is a file with the store's address."""

    def __init__(self, database: Path | None = None, storage: Path | None = None) -> None:
        self._storage = storage
        self.warehouse = Warehouse(database)
        self.jobs = Jobs(self.warehouse.clock)
        self.anonymous = Anonymous()
        self.writer = Writer(self.warehouse)
        self.faults = Faults()
        self.gate = Gate()
        # sqlglot makes its parser ready at the first use, and two threads that use it first get in each other's way.
        dialect.statements(
            "CREATE SCHEMA IF NOT EXISTS `p`.`d`; SELECT 1; MERGE d.t USING d.s ON FALSE WHEN MATCHED THEN DELETE"
        )
        self.scratch = Path(self.warehouse.scratch.name)

    def close(self) -> None:
        self.jobs.close()
        self.warehouse.close()

    def rows(self, ref: TableRef, at: datetime | None = None) -> results.Rows:
        """A table's rows, or a query's result. Raises `notFound`, and `invalid` for a view or an impossible time."""
        found = self.anonymous.find(ref)
        return found if found is not None else results.pinned(self.warehouse.snapshot(ref, at), self.warehouse.cursor)

    def scope(self, project: str, config: dict[str, Any], cursor: duckdb.DuckDBPyConnection) -> Scope:
        named, positional = parameters.read(config.get("queryParameters") or [])
        default = config.get("defaultDataset")
        limit = config.get("maximumBytesBilled")
        return Scope(
            self.warehouse,
            cursor,
            self.warehouse.clock.tick(),
            project,
            DatasetRef(default.get("projectId") or project, default["datasetId"]) if default else None,
            named,
            positional,
            self.anonymous.find,
            self.gate,
            config.get("queryParameters") or (),
            int(limit) if limit else None,
        )

    def run_query(self, job: Job) -> None:
        """The work of a query job: fills in its statistics, and where its rows are."""
        config = job.configuration["query"]
        if config.get("useLegacySql"):
            raise not_served("legacy SQL")
        cursor = self.warehouse.cursor()
        job.interrupt = cursor.interrupt
        try:
            scope = self.scope(job.project, config, cursor)
            trees = self.statements(config["query"])
            if job.configuration.get("dryRun"):
                outcome, job.fields = statements.dry_run(trees, scope)
            else:
                outcome = statements.execute(trees, scope, self.scratch)
                if outcome.rows is not None:
                    self._keep(job, config, outcome.rows)
            job.statistics = _statistics(outcome, job.fields)
            if outcome.ddl_target is not None:
                config["destinationTable"] = outcome.ddl_target.api
        finally:
            cursor.close()

    def run_extract(self, job: Job) -> None:
        """The work of an extract job."""
        rows = self.rows(table_ref(job.configuration["extract"]["sourceTable"]))
        cursor = self.warehouse.cursor()
        try:
            extract.run(job, rows, cursor, self.scratch, self._storage)
        finally:
            cursor.close()

    def statements(self, sql: str) -> list[dialect.Statement]:
        """The statements of a text. Raises `invalidQuery` with Google's sentence where it is none."""
        try:
            return dialect.script(sql)
        except BigQueryError:
            self.gate.syntax(sql)
            raise

    def condition(self, sql: str, project: str, cursor: duckdb.DuckDBPyConnection) -> str:
        """A row restriction of the Storage Read API in DuckDB's SQL."""
        tree = dialect.statements(f"SELECT 1 FROM t WHERE {sql}")[0]
        if tree.find(exp.Select) is not tree or tree.find(exp.Subquery):
            raise not_served("subqueries in a row restriction")
        return self.scope(project, {}, cursor).sql(tree.args["where"].this)

    def _keep(self, job: Job, config: dict[str, Any], rows: results.Rows) -> None:
        job.fields, job.total_rows = rows.fields, rows.count
        if config.get("destinationTable"):
            job.destination = table_ref(config["destinationTable"])
            self.writer.store(job.destination, config, rows)
        else:
            job.destination = self.anonymous.add(job.project, rows)
            config["destinationTable"] = job.destination.api


def _statistics(outcome: statements.Outcome, fields: tuple[Field, ...]) -> dict[str, Any]:
    query: dict[str, Any] = {
        "statementType": outcome.statement_type,
        "totalBytesProcessed": str(outcome.bill.processed),
        "totalBytesBilled": str(outcome.bill.billed),
        "totalSlotMs": "1",
        "cacheHit": False,
        "referencedTables": [ref.api for ref in outcome.tables],
    }
    if fields:
        query["schema"] = {"fields": [field.api() for field in fields]}
    if outcome.affected is not None:
        counts = asdict(outcome.affected)
        query["numDmlAffectedRows"] = str(outcome.affected.total)
        query["dmlStats"] = {f"{kind}RowCount": str(number) for kind, number in counts.items()}
    if outcome.ddl_target is not None:
        query["ddlTargetTable"] = outcome.ddl_target.api
        query["ddlOperationPerformed"] = "CREATE" if outcome.statement_type.startswith("CREATE") else "ALTER"
    return {"query": query, "totalBytesProcessed": str(outcome.bill.processed), "totalSlotMs": "1"}
