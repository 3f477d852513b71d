"""The warehouse's tables as the contracts describe them, made and filled through the real BigQuery client."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime

import polars as pl
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from pipeline.contracts.dataset import Dataset

WATERMARK = "watermark"


class Tables:
    """One BigQuery dataset with a table for each contract, and the watermark table."""

    def __init__(self, endpoint: str, project: str, dataset: str) -> None:
        self.client = bigquery.Client(
            project, credentials=AnonymousCredentials(), client_options={"api_endpoint": endpoint}
        )
        self.name = f"{project}.{dataset}"

    def create(self, datasets: Iterable[Dataset]) -> None:
        """Make the dataset, its tables and an empty watermark."""
        self.client.create_dataset(self.name, exists_ok=True)
        for dataset in datasets:
            fields = [
                bigquery.SchemaField(
                    column.source, column.type, "REQUIRED" if column.name in dataset.key else "NULLABLE"
                )
                for column in dataset.columns
            ]
            table = bigquery.Table(
                f"{self.name}.{dataset.table}", [*fields, bigquery.SchemaField("in_program", "BOOL")]
            )
            change = dataset.column(dataset.change).source
            table.time_partitioning = bigquery.TimePartitioning(bigquery.TimePartitioningType.HOUR, field=change)
            self.client.create_table(table, exists_ok=True)
        marks = [bigquery.SchemaField("dataset", "STRING"), bigquery.SchemaField("complete_until", "TIMESTAMP")]
        self.client.create_table(bigquery.Table(f"{self.name}.{WATERMARK}", marks), exists_ok=True)

    def load(self, table: str, frame: pl.DataFrame) -> None:
        """Append rows by a load job, as dbt's runs appear: all at once."""
        file = io.BytesIO()
        frame.write_parquet(file)
        file.seek(0)
        config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
        self.client.load_table_from_file(file, f"{self.name}.{table}", job_config=config).result()

    def complete(self, datasets: Iterable[str], until: datetime) -> None:
        """Set the watermark of the datasets, as dbt does after a run that succeeded."""
        for dataset in datasets:
            self.sql(
                f"MERGE `{self.name}.{WATERMARK}` t USING (SELECT @dataset AS dataset, @until AS complete_until) s "
                "ON t.dataset = s.dataset WHEN MATCHED THEN UPDATE SET complete_until = s.complete_until "
                "WHEN NOT MATCHED THEN INSERT (dataset, complete_until) VALUES (s.dataset, s.complete_until)",
                bigquery.ScalarQueryParameter("dataset", "STRING", dataset),
                bigquery.ScalarQueryParameter("until", "TIMESTAMP", until),
            )

    def sql(self, text: str, *parameters: bigquery.ScalarQueryParameter) -> list[bigquery.Row]:
        """Run a statement and give its rows."""
        config = bigquery.QueryJobConfig(query_parameters=list(parameters))
        return list(self.client.query_and_wait(text, job_config=config))
