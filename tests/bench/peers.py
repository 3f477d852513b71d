"""The ways in which people do this today, against the same warehouse, store and server, with the same gpg options.

**Staged** is a script: the query's rows into a CSV file by pandas, gpg over that file, an upload of the result to the
store, and a put by paramiko; each step ends before the next begins. **Shell** and **rclone** are handed the CSV, ready.
"""

from __future__ import annotations

import io
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import paramiko
import polars as pl
from google.cloud import bigquery, bigquery_storage
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
from grpc import insecure_channel

from localcloud import keys
from localcloud.deployment import LocalDeployment
from pipeline.pgp.keyring import options
from pipeline.settings import Settings
from pipeline.window import Window

COMPRESSION: Final = str(Settings.model_fields["pgp_compression"].default)
RCLONE: Final = "apt-get install --yes --no-install-recommends rclone"
"""What installs the program where it is missing."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A directory to work in and a gpg home with the partner's public and our private key."""

    deployment: LocalDeployment
    home: Path
    directory: Path

    @property
    def csv(self) -> Path:
        """The staged CSV."""
        return self.directory / "staged.csv"

    @property
    def sealed(self) -> Path:
        """The staged gpg file."""
        return self.directory / "staged.csv.pgp"

    def command(self, compression: str, source: Path, target: Path) -> list[str]:
        """gpg from file to file, with our options and this compression, as a person would type them."""
        return [
            *["gpg", "--homedir", str(self.home), "--batch", "--yes", "--quiet", "--no-tty", "--always-trust"],
            *["--pinentry-mode", "loopback", "--passphrase-file", str(self.home / "passphrase")],
            *["--recipient", self.deployment.cloud.partner_key.fingerprint],
            *["--local-user", self.deployment.cloud.signing_key.fingerprint, *options(compression, "SHA256")],
            *["--output", str(target), "--sign", "--encrypt", str(source)],
        ]

    def seal(self) -> None:
        """gpg from file to file."""
        subprocess.run(self.command(COMPRESSION, self.csv, self.sealed), check=True)

    def staged(self, window: Window) -> dict[str, float]:
        """All steps, one after the other; seconds of each. Clients and imports are ready before."""
        return _timed(
            query=lambda: self._frames(window),
            gpg=self.seal,
            store=lambda: self._store(f"staged/{time.time_ns()}"),
            put=self._put,
        )

    def shell(self) -> dict[str, float]:
        """gpg, then OpenSSH's sftp: it refuses to put what is not a file, so the two cannot be joined by a pipe."""
        return _timed(gpg=self.seal, sftp=self._sftp)

    def rclone(self) -> dict[str, float]:
        """gpg, then rclone with its defaults, the host key pinned as ours is. Raises FileNotFoundError without it."""
        return _timed(gpg=self.seal, rclone=self._rclone)

    def _rclone(self) -> None:
        service = self.deployment.partner.ready
        values = {
            "host": service["host"],
            "port": str(service["port"]),
            "user": service["user"],
            "key-file": str(self.directory / "identity"),
            "known-hosts-file": str(self.directory / "known_hosts"),
        }
        given = [word for name, value in values.items() for word in (f"--sftp-{name}", value)]
        order = ["rclone", "--config", os.devnull, "copyto", str(self.sealed), ":sftp:rclone.pgp", *given]
        subprocess.run(order, check=True, capture_output=True)

    def _sftp(self) -> None:
        order = f"put {self.sealed} peer.pgp\n".encode()
        command = sftp_command(self.deployment, self.directory)
        subprocess.run(command, input=order, check=True, capture_output=True)

    def _query(self, window: Window) -> bigquery.table.RowIterator:
        dataset = self.deployment.datasets["payments"]
        columns = ", ".join(f"{column.source} AS {column.name}" for column in dataset.columns)
        change = dataset.column(dataset.change).source
        sql = (
            f"SELECT {columns} FROM `{self.deployment.tables.name}.{dataset.table}` "
            f"WHERE {change} >= @start AND {change} < @end AND ({dataset.filter})"
        )
        bounds = [
            bigquery.ScalarQueryParameter("start", "TIMESTAMP", window.start),
            bigquery.ScalarQueryParameter("end", "TIMESTAMP", window.end),
        ]
        job = self.deployment.tables.client.query(sql, bigquery.QueryJobConfig(query_parameters=bounds))
        return job.result()

    def _reader(self) -> bigquery_storage.BigQueryReadClient:
        channel = insecure_channel(self.deployment.cloud.services["bigquery"].ready["grpc"])
        return bigquery_storage.BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))

    def _frames(self, window: Window) -> None:
        """By way of pandas, over the Storage Read API: faster than row by row."""
        frame = self._query(window).to_arrow(bqstorage_client=self._reader()).to_pandas()
        frame.to_csv(self.csv, index=False, lineterminator="\r\n", date_format="%Y-%m-%dT%H:%M:%S.%fZ")

    def write_csv(self, window: Window) -> None:
        """The CSV made ready in pieces, for a shell that is given more than pandas could hold; not measured."""
        if self.csv.exists():
            return
        with self.csv.open("wb") as file:
            for batch in self._query(window).to_arrow_iterable(bqstorage_client=self._reader()):
                pl.DataFrame(batch).write_csv(file, include_header=False, line_terminator="\r\n")

    def _store(self, name: str) -> None:
        self.deployment.cloud.storage.bucket("archive").blob(name).upload_from_filename(str(self.sealed))

    def _put(self) -> None:
        service = self.deployment.partner.ready
        login = paramiko.Ed25519Key.from_private_key(io.StringIO(self.deployment.cloud.login_key.private.decode()))
        transport = paramiko.Transport((service["host"], service["port"]))
        try:
            transport.connect(username=service["user"], pkey=login)
            client = paramiko.SFTPClient.from_transport(transport)
            assert client is not None
            client.put(str(self.sealed), "staged.pgp")
        finally:
            transport.close()


@contextmanager
def peer(deployment: LocalDeployment, directory: Path) -> Iterator[Peer]:
    """Keys and a directory for the peers."""
    directory.mkdir(exist_ok=True)
    with keys.gnupg_home() as home:
        secret = home / "passphrase"
        secret.touch(mode=0o600)
        secret.write_text(deployment.cloud.signing_key.passphrase or "")
        for material in (deployment.cloud.partner_key.public, deployment.cloud.signing_key.private):
            subprocess.run(
                ["gpg", "--homedir", str(home), "--batch", "--quiet", "--import"],
                input=material,
                check=True,
                capture_output=True,
            )
        sftp_command(deployment, directory)  # leaves the login key and the pinned host key there
        yield Peer(deployment, home, directory)


def sftp_command(deployment: LocalDeployment, directory: Path) -> list[str]:
    """OpenSSH's client, as a person would call it, its host key pinned as ours is; it reads its orders from stdin."""
    service = deployment.partner.ready
    identity = directory / "identity"
    identity.touch(mode=0o600)
    identity.write_bytes(deployment.cloud.login_key.private)
    line = keys.host_key_line(service["host"], service["port"], deployment.cloud.server_key.public)
    (directory / "known_hosts").write_text(line + "\n")
    options = {
        "IdentityFile": identity,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": directory / "known_hosts",
        "StrictHostKeyChecking": "yes",
        "Port": service["port"],
    }
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["sftp", "-q", "-F", "none", "-b", "-", *given, f"{service['user']}@{service['host']}"]


def _timed(**steps: Callable[[], None]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for name, step in steps.items():
        began = time.monotonic()
        step()
        seconds[name] = time.monotonic() - began
    return seconds
