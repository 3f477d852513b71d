"""The server as a child process, with the real clients connected to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import requests
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

PROJECT = "proj-1"
ONCE = Retry(predicate=lambda error: False)


@dataclass(frozen=True, slots=True)
class Local:
    """`process` may be signalled; its stdin is a pipe."""

    process: subprocess.Popen[str]
    rest: str
    grpc: str
    bigquery: bigquery.Client
    storage: Any

    def rows(self, sql: str, *parameters: Any, **config: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, each a tuple. `config` are properties of QueryJobConfig."""
        job_config = bigquery.QueryJobConfig(query_parameters=list(parameters), **config)
        return [
            tuple(row) for row in self.bigquery.query(sql, job_config=job_config, retry=ONCE, job_retry=None).result()
        ]

    def fault(self, match: str, action: str, after: int = 0, times: int = 1) -> None:
        body = {"match": match, "action": action, "after": after, "times": times}
        requests.post(f"{self.rest}/_faults", json=body, timeout=10).raise_for_status()


@contextmanager
def running(*options: str) -> Iterator[Local]:
    """A server of one's own, ended with SIGTERM."""
    command = [sys.executable, "-m", "localcloud.bigquery", "--exit-with-parent", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = process.stdout.readline()
        assert line, f"the server ended with {process.wait()} before it was ready"
        ready = json.loads(line)
        with grpc.insecure_channel(ready["grpc"], options=[("grpc.max_receive_message_length", -1)]) as channel:
            client = bigquery.Client(
                project=PROJECT,
                credentials=AnonymousCredentials(),
                client_options={"api_endpoint": ready["rest"]},
            )
            storage = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
            yield Local(process, ready["rest"], ready["grpc"], client, storage)
            client.close()
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdin.close()
        process.stdout.close()
