"""The tasks of a DAG, one after the other, in Airflow's own environment: query, extract, gpg, put.

Reads a query a line (JSON) from its input; answers with seconds and seconds of processor time. STEPS in its environment
says which table, bucket, gpg command and directory.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # Airflow logs to the output

from airflow.providers.google.cloud.hooks.gcs import GCSHook  # noqa: E402
from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator  # noqa: E402
from airflow.providers.google.cloud.transfers.bigquery_to_gcs import BigQueryToGCSOperator  # noqa: E402
from airflow.providers.google.cloud.transfers.gcs_to_sftp import GCSToSFTPOperator  # noqa: E402

STEPS = json.loads(os.environ["STEPS"])


class TaskInstance:
    """What operators tell their task of, and nobody asks for here."""

    def xcom_push(self, *_: Any, **__: Any) -> None:
        """Forget it."""


def seal(bucket: str, name: str) -> None:
    """The user's own step: the object to a file, gpg, and the result to an object."""
    hook = GCSHook()
    with tempfile.TemporaryDirectory() as directory:
        plain, sealed = Path(directory) / "rows.csv", Path(directory) / "rows.csv.pgp"
        hook.download(bucket_name=bucket, object_name=name, filename=str(plain))
        places = {"SOURCE": str(plain), "TARGET": str(sealed)}
        subprocess.run([places.get(word, word) for word in STEPS["gpg"]], check=True)
        hook.upload(bucket_name=bucket, object_name=f"{name}.pgp", filename=str(sealed))


def deliver(query: str) -> None:
    """All tasks of one hour."""
    name = f"airflow/{time.time_ns()}.csv"
    bucket, table = STEPS["bucket"], STEPS["table"]
    project = (
        os.environ.get("PROJECT") or json.loads(os.environ["AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT"])["extra"]["project"]
    )
    dataset, _, short = table.rpartition(".")
    destination = {"projectId": project, "datasetId": dataset.rpartition(".")[2], "tableId": short}
    instance = TaskInstance()
    context: Any = {"logical_date": datetime.now(UTC), "ti": instance, "task_instance": instance}
    job = {
        "query": query,
        "useLegacySql": False,
        "destinationTable": destination,
        "writeDisposition": "WRITE_TRUNCATE",
    }
    BigQueryInsertJobOperator(task_id="query", configuration={"query": job}).execute(context)
    BigQueryToGCSOperator(
        task_id="extract",
        source_project_dataset_table=f"{project}.{destination['datasetId']}.{short}",
        destination_cloud_storage_uris=[f"gs://{bucket}/{name}"],
    ).execute(context)
    seal(bucket, name)
    GCSToSFTPOperator(
        task_id="put",
        source_bucket=bucket,
        source_object=f"{name}.pgp",
        destination_path=STEPS["directory"],
        keep_directory_structure=False,
    ).execute(context)


def worked() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def main() -> None:
    """Answer until the input ends."""
    print("ready", file=ANSWERS, flush=True)
    for line in sys.stdin:
        began, used = time.monotonic(), worked()
        deliver(json.loads(line))
        print(json.dumps([time.monotonic() - began, worked() - used]), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
