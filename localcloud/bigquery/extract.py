"""Extract jobs: a table's rows as one CSV file in a bucket of the local Cloud Storage."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from .catalog import quote, table_ref
from .errors import invalid, not_served
from .fields import Field
from .jobs import Job
from .results import Rows

LARGEST: Final = 1_000_000_000
"""Bytes of one file, beyond which a wildcard is asked for (BigQuery, "Exporting table data", limitations)."""

AS_TEXT: Final = {
    "TIMESTAMP": "strftime({0} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f') || ' UTC'",
    **dict.fromkeys(("STRING", "INT64", "NUMERIC", "BOOL", "DATE", "JSON"), "{0}"),
}
"""Types that are served, and what is written of them. Without fractions BigQuery leaves the decimal places out."""


def run(job: Job, rows: Rows, cursor: Any, scratch: Path, address: Path | None) -> None:
    """The work of an extract job to one file. `address` is a file with the store's URL in it."""
    config = job.configuration["extract"]
    served = {"destinationFormat": "CSV", "compression": "NONE", "fieldDelimiter": ",", "printHeader": True}
    if others := {key: config[key] for key, usual in served.items() if str(config.get(key, usual)) != str(usual)}:
        raise not_served(f"an extract with {json.dumps(others)}")
    if address is None or len(config["destinationUris"]) != 1:
        raise not_served("an extract to several files, or without Cloud Storage")
    bucket, _, name = config["destinationUris"][0].removeprefix("gs://").partition("/")
    with NamedTemporaryFile(dir=scratch, suffix=".csv") as file:
        columns = ", ".join(f"{_text(field)} AS {quote(field.name)}" for field in rows.fields)
        cursor.execute(f"COPY (SELECT {columns} FROM {rows.relation(cursor)}) TO '{file.name}' (FORMAT csv, HEADER)")
        size = Path(file.name).stat().st_size
        if size > LARGEST and "*" not in name:
            raise invalid(f"Table {table_ref(config['sourceTable'])} too large to be exported to a single file.")
        client = storage.Client(
            job.project, credentials=AnonymousCredentials(), client_options={"api_endpoint": address.read_text()}
        )
        client.bucket(bucket).blob(name.replace("*", "000000000000")).upload_from_filename(file.name)
    job.statistics = {"extract": {"destinationUriFileCounts": ["1"], "inputBytes": str(size)}}


def _text(field: Field) -> str:
    if field.type not in AS_TEXT or field.mode == "REPEATED":
        raise not_served(f"an extract of {field.mode} {field.type} columns")
    return AS_TEXT[field.type].format(quote(field.name))
