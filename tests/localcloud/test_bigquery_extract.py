"""Extract jobs of the local BigQuery, into the local Cloud Storage."""

from __future__ import annotations

import csv
import io

import pytest
from google.api_core import exceptions
from google.cloud import bigquery

from tests.deployment import InProcessDeployment

SQL = """
SELECT 'a,"b"' AS text, CAST(NULL AS STRING) AS missing, 1.25 AS amount, TRUE AS flag, DATE '2026-01-02' AS day,
    TIMESTAMP '2026-01-02 03:04:05.000006Z' AS instant
"""


def _made(deployment: InProcessDeployment, sql: str) -> tuple[bigquery.Client, str]:
    deployment.tables.create(deployment.datasets.values())
    client, table = deployment.tables.client, f"{deployment.tables.name}.extracted"
    client.query(sql, bigquery.QueryJobConfig(destination=table, write_disposition="WRITE_TRUNCATE")).result()
    return client, table


def test_a_table_is_extracted_as_csv_with_a_header(deployment: InProcessDeployment) -> None:
    client, table = _made(deployment, SQL.replace("1.25", "NUMERIC '1.25'"))
    client.extract_table(table, f"gs://{deployment.archive_bucket}/out/rows.csv").result()
    content = deployment.cloud.storage.bucket(deployment.archive_bucket).blob("out/rows.csv").download_as_text()
    header, row = csv.reader(io.StringIO(content))
    assert header == ["text", "missing", "amount", "flag", "day", "instant"]
    assert row[:2] == ['a,"b"', ""]
    assert float(row[2]) == 1.25
    assert row[3:] == ["true", "2026-01-02", "2026-01-02 03:04:05.000006 UTC"]


@pytest.mark.parametrize("given", [{"compression": "GZIP"}, {"destination_format": "AVRO"}, {"field_delimiter": ";"}])
def test_what_is_not_served_is_refused(deployment: InProcessDeployment, given: dict[str, str]) -> None:
    client, table = _made(deployment, "SELECT 1 AS one")
    config = bigquery.ExtractJobConfig(**given)
    job = client.extract_table(table, f"gs://{deployment.archive_bucket}/out/no.csv", job_config=config)
    with pytest.raises(exceptions.GoogleAPICallError, match="extract"):
        job.result(timeout=20)


def test_a_column_that_csv_cannot_hold_is_refused(deployment: InProcessDeployment) -> None:
    client, table = _made(deployment, "SELECT [1, 2] AS several")
    with pytest.raises(exceptions.GoogleAPICallError, match="REPEATED"):
        client.extract_table(table, f"gs://{deployment.archive_bucket}/out/no.csv").result(timeout=20)
