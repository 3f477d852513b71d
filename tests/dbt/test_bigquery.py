"""Production's adapter, dbt-bigquery, against the stack's BigQuery."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from google.cloud import bigquery

from localcloud.dbt import build, run
from localcloud.processes import start
from localcloud.warehouses import LocalBigQuery
from tests.dbt import story
from tests.dbt.conftest import Run
from tests.dbt.rows import at
from tests.dbt.state import KEYS, state


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBigQuery]:
    """The stack's BigQuery after the first two hours of the story."""
    service = start("localcloud.bigquery", "--rest-port", "0", "--grpc-port", "0", logs=tmp_path_factory.mktemp("logs"))
    try:
        built = LocalBigQuery(service.ready["rest"])
        for hour in range(2):
            for rows in story.raw(hour):
                built.load(rows)
            build(built, at("14:02") + timedelta(hours=hour))
        yield built
    finally:
        service.stop()


@pytest.fixture(scope="module")
def client(warehouse: LocalBigQuery) -> Iterator[bigquery.Client]:
    with warehouse.client() as made:
        yield made


def test_both_adapters_make_the_same_marts_and_watermark(warehouse: LocalBigQuery, runs: list[Run]) -> None:
    assert state(warehouse) == runs[1].state


@pytest.mark.parametrize("dataset", KEYS)
def test_a_mart_has_a_partition_for_every_hour_of_its_change_column(
    warehouse: LocalBigQuery, client: bigquery.Client, dataset: str
) -> None:
    table = client.get_table(f"{warehouse.project}.{warehouse.dataset}.{dataset}")
    assert table.time_partitioning == bigquery.TimePartitioning(bigquery.TimePartitioningType.HOUR, field="updated_at")
    assert tuple(table.clustering_fields) == KEYS[dataset]
    assert {field.name for field in table.schema if field.mode == "REQUIRED"} >= {
        *KEYS[dataset],
        "updated_at",
        "in_program",
    }


def test_a_build_asks_for_the_watermark_when_it_begins_and_when_it_ends(client: bigquery.Client) -> None:
    statements = [job.query for job in client.list_jobs() if job.job_type == "query"]
    moves = [sql for sql in statements if "merge into" in sql and "`watermark` as present" in sql]
    asked = [sql for sql in statements if "max(complete_until) as complete_until" in sql]
    assert len(asked) == 2 * len(moves) == 4


def test_dbts_documents_have_what_bigquerys_catalog_says(warehouse: LocalBigQuery) -> None:
    printed = run(warehouse, "docs", "generate")
    assert "Catalog written to" in printed
    assert "WARN" not in printed.upper()


TAG = "projects/local-psp/locations/europe-west1/taxonomies/1/policyTags/2"


def test_bigquery_has_the_descriptions_and_the_policy_tags_that_are_named(
    warehouse: LocalBigQuery, client: bigquery.Client
) -> None:
    before = client.get_table(f"{warehouse.project}.{warehouse.dataset}.identity")
    assert before.description == "One contact of one customer, with the identity document that counts."
    assert all(field.description for field in before.schema)
    assert {field.policy_tags for field in before.schema} == {None}
    run(warehouse, "run", "--select", "identity", now=at("15:10"), given={"policy_tags": {"restricted": TAG}})
    tagged = client.get_table(before.reference)
    run(warehouse, "run", "--select", "identity", now=at("15:11"))
    kept = client.get_table(before.reference)
    named = {field.name for field in tagged.schema if field.policy_tags and list(field.policy_tags.names) == [TAG]}
    assert {"given_name", "family_name", "document_number"} <= named
    assert "customer_id" not in named
    assert kept.schema == tagged.schema
