"""One stage and its limit, measured in the function's own interpreter; driven by `limits`, prints one JSON object.

Only the function's requirements are imported. Everything is warm before the clock runs, and ours and the limit take
turns.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
import polars as pl
import pyarrow as pa
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient as Reader
from google.cloud.bigquery_storage_v1 import types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

from pipeline import settings
from pipeline.budget import Budget
from pipeline.clients import queries
from pipeline.contracts.dataset import Dataset
from pipeline.deliver.csvfile import csv_bytes
from pipeline.deliver.rows import Checks
from pipeline.pgp.encrypt import encrypt
from pipeline.pgp.keyring import keyring
from pipeline.pgp.packets import without_recipient
from pipeline.pgp.reopen import opening
from pipeline.run import Deployment, Run
from pipeline.streams.digest import Tally
from pipeline.window import Window

PIECE: Final = 4 * 1024 * 1024
CPU: Final = ", processor time"
Ways = dict[str, Callable[[], None]]


def main() -> None:
    """`within STAGE RUNS WINDOW-START FILE`: seconds of each way, and of this process's work, sample by sample."""
    stage, runs, start, file = sys.argv[1], int(sys.argv[2]), datetime.fromisoformat(sys.argv[3]), Path(sys.argv[4])
    cloud = Run(Deployment(settings.from_environment()), Budget.of(3500))
    with ExitStack() as ending:
        ways = STAGES[stage](cloud, Window.hour(start), file, ending)
        samples: dict[str, list[float]] = {f"{name}{clock}": [] for name in ways for clock in ("", CPU)}
        for number in range(runs + 1):
            for name, way in ways.items():
                began, worked = time.perf_counter(), time.process_time()
                way()
                if number:
                    samples[name].append(time.perf_counter() - began)
                    samples[name + CPU].append(time.process_time() - worked)
    sys.stdout.write(json.dumps(samples) + "\n")


def _csv(cloud: Run, window: Window, _: Path, __: ExitStack) -> Ways:
    """Frames to CSV: ours, ours with all checks, and polars alone over the same rows as one frame."""
    (dataset,) = cloud.deployment.datasets.values()
    batches = list(cloud.source.batches(dataset, window, datetime.now(UTC)))
    frames = list(Checks(dataset, window).checking(batches))
    whole = pl.concat(frames, rechunk=True)

    def alone() -> None:
        whole.write_csv(
            io.BytesIO(),
            include_header=False,
            line_terminator="\r\n",
            quote_style="necessary",
            datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ",
        )

    return {
        "ours": lambda: _drain(csv_bytes(frames, dataset)),
        "checked": lambda: _drain(csv_bytes(Checks(dataset, window).checking(batches), dataset)),
        "limit": alone,
    }


def _seal(cloud: Run, _: Window, file: Path, ending: ExitStack) -> Ways:
    """A ready CSV to sealed bytes that go nowhere: ours, ours opened again, and gpg from file to nowhere."""
    keys = ending.enter_context(keyring(cloud.settings, cloud.credentials))
    assert keys.signing is not None
    signing = keys.signing
    secret = keys.home / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text(keys.passphrase or "")
    gpg = [
        *["gpg", "--homedir", str(keys.home), "--batch", "--yes", "--quiet", "--no-tty", "--always-trust"],
        *["--pinentry-mode", "loopback", "--passphrase-file", str(secret), "--set-filename", ""],
        *["--recipient", keys.partner.fingerprint, "--local-user", signing.fingerprint, "--cipher-algo", "AES256"],
        *["--digest-algo", "SHA256", "--force-mdc", "--compress-algo", "none", "--output", os.devnull],
        *["--sign", "--encrypt", str(file)],
    ]

    def ours() -> None:
        _drain(encrypt(_pieces(file), keys, compression="none", budget=cloud.budget))

    def opened() -> None:
        plain = Tally()
        with opening(keys, cloud.budget) as opener:
            sealed = encrypt(
                plain.counting(_pieces(file)), keys, compression="none", budget=cloud.budget, extra=(opener.recipient,)
            )
            _drain(without_recipient(opener.decrypting(sealed), opener.key_ids))
            assert opener.plaintext(signing.signers).sha256 == plain.sha256

    return {"ours": ours, "opened": opened, "limit": lambda: _run(gpg)}


def _source(cloud: Run, window: Window, _: Path, __: ExitStack) -> Ways:
    """The extract to Arrow batches: ours, and the same query with the stream read as plainly as can be."""
    (dataset,) = cloud.deployment.datasets.values()
    settings_ = cloud.settings
    client = bigquery.Client(
        settings_.google_cloud_project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": settings_.bigquery_emulator_host},
    )
    channel = grpc.insecure_channel(
        settings_.bigquery_storage_emulator_host, options=[("grpc.max_receive_message_length", -1)]
    )
    reader = Reader(transport=BigQueryReadGrpcTransport(channel=channel))
    return {
        "ours": lambda: _drain(cloud.source.batches(dataset, window, datetime.now(UTC))),
        "limit": lambda: _bare_read(cloud, dataset, window, client, reader),
    }


def _bare_read(cloud: Run, dataset: Dataset, window: Window, client: bigquery.Client, reader: Reader) -> None:
    sql = queries.extract(dataset, cloud.settings.warehouse, datetime.now(UTC), 1, 1)
    for name, instant in (("@start", window.start), ("@end", window.end)):
        sql = sql.replace(name, f"TIMESTAMP '{instant.isoformat()}'")
    job = client.query(sql)
    job.result()
    session = reader.create_read_session(
        parent=f"projects/{cloud.settings.google_cloud_project}",
        read_session=types.ReadSession(
            table=job.destination.path.lstrip("/"),
            data_format=types.DataFormat.ARROW,
            read_options={"arrow_serialization_options": {"buffer_compression": "LZ4_FRAME"}},
        ),
        max_stream_count=1,
    )
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    for stream in session.streams:
        for message in reader.read_rows(stream.name):
            pa.ipc.read_record_batch(pa.py_buffer(message.arrow_record_batch.serialized_record_batch), schema)


def _upload(cloud: Run, _: Window, file: Path, __: ExitStack) -> Ways:
    """A ready file to the partner's server: ours, and OpenSSH's sftp with its default options, as `SFTP` names it."""
    server, sftp = cloud.partner(), json.loads(os.environ["SFTP"])

    def ours() -> None:
        sftp.put(_pieces(file), server, "ours.pgp", attempt="bench", rename=False)

    def limit() -> None:
        subprocess.run(sftp, input=f"put {file} peer.pgp\n".encode(), check=True, capture_output=True)

    return {"ours": ours, "limit": limit}


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while piece := source.read(PIECE):
            yield piece


def _drain(items: Iterator[object]) -> None:
    for _ in items:
        pass


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


STAGES: Final[Mapping[str, Callable[[Run, Window, Path, ExitStack], Ways]]] = {
    "seal": _seal,
    "csv": _csv,
    "source": _source,
    "upload": _upload,
}

if __name__ == "__main__":
    main()
