"""Local warehouses that dbt can build in: a DuckDB file, and the local cloud's BigQuery through the real client."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb
import polars as pl
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from localcloud.rawdata import TABLES

_BIGQUERY: Final[Mapping[Any, str]] = {
    pl.String: "STRING",
    pl.Boolean: "BOOL",
    pl.Date: "DATE",
    pl.Int64: "INT64",
    pl.Decimal(38, 9): "NUMERIC",
    pl.Datetime("us", "UTC"): "TIMESTAMP",
}


class Warehouse(Protocol):
    """Where raw rows are loaded and dbt builds."""

    @property
    def target(self) -> str:
        """Name of the output in dbt/profiles.yml."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What that output takes from the environment."""

    def load(self, rows: Mapping[str, pl.DataFrame]) -> None:
        """Append to raw tables. All of them are made when they are not there."""

    def rows(self, sql: str) -> pl.DataFrame:
        """The answer to a query that names tables `dataset.table`; timestamps are UTC."""


@dataclass(frozen=True, slots=True)
class DuckDBFile:
    """A DuckDB file. Its timestamps have no zone."""

    path: Path
    dataset: str = "amazon_pspp"
    target: str = "duckdb"

    @property
    def environment(self) -> Mapping[str, str]:
        return {"DUCKDB_FILE": str(self.path), "BIGQUERY_DATASET": self.dataset}

    def load(self, rows: Mapping[str, pl.DataFrame]) -> None:
        with duckdb.connect(self.path) as connection:
            for table, schema in TABLES.items():
                columns = ", ".join(
                    f"{name} {'NUMERIC(38, 9)' if _BIGQUERY[kind] == 'NUMERIC' else _BIGQUERY[kind]}"
                    for name, kind in schema.items()
                )
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.partition('.')[0]}")
                connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
            for table, frame in rows.items():
                connection.register("loaded", frame.with_columns(pl.col(pl.Datetime).dt.replace_time_zone(None)))
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM loaded")

    def rows(self, sql: str) -> pl.DataFrame:
        with duckdb.connect(self.path, read_only=True) as connection:
            return self.dated(connection.sql(sql))

    @staticmethod
    def dated(relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
        """A relation's rows with the zone that its timestamps lack."""
        frame: pl.DataFrame = relation.pl()
        return frame.with_columns(pl.col(pl.Datetime).dt.replace_time_zone("UTC"))


@dataclass(frozen=True, slots=True)
class LocalBigQuery:
    """The stack's BigQuery at `endpoint`, such as http://127.0.0.1:9050."""

    endpoint: str
    project: str = "local-psp"
    dataset: str = "amazon_pspp"
    target: str = "local_bigquery"

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "BIGQUERY_EMULATOR_HOST": self.endpoint,
            "GOOGLE_CLOUD_PROJECT": self.project,
            "BIGQUERY_DATASET": self.dataset,
        }

    def load(self, rows: Mapping[str, pl.DataFrame]) -> None:
        with self.client() as client:
            for table, schema in TABLES.items():
                client.create_dataset(table.partition(".")[0], exists_ok=True)
                fields = [bigquery.SchemaField(name, _BIGQUERY[kind]) for name, kind in schema.items()]
                made = bigquery.Table(f"{self.project}.{table}", fields)
                made.time_partitioning = bigquery.TimePartitioning(field="_loaded_at")
                client.create_table(made, exists_ok=True)
            config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
            for table, frame in rows.items():
                if frame.height:
                    file = io.BytesIO()
                    frame.write_parquet(file)
                    file.seek(0)
                    client.load_table_from_file(file, f"{self.project}.{table}", job_config=config).result()

    def rows(self, sql: str) -> pl.DataFrame:
        with self.client() as client:
            return pl.DataFrame(pl.from_arrow(client.query_and_wait(sql).to_arrow()))

    def client(self) -> bigquery.Client:
        """Google's client of it."""
        return bigquery.Client(
            self.project, credentials=AnonymousCredentials(), client_options={"api_endpoint": self.endpoint}
        )
