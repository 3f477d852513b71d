"""What the partner makes of its files: opened with its key by gpg, read by DuckDB, held against the warehouse.

Nothing of `pipeline/` is used but the contract: this is how a stranger would check our claims.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from google.cloud import bigquery

from localcloud import keys
from localcloud.deployment import LocalDeployment
from pipeline.contracts.dataset import Dataset
from pipeline.window import Window


@dataclass(frozen=True)
class Opened:
    """One file at the partner; `identical` when its rows are just those of the warehouse, and the signature is good."""

    file: Path
    folder: str
    rows: int
    identical: bool
    verdict: str


@contextmanager
def partner_home(key: keys.PgpKey, signer: keys.PgpKey) -> Iterator[Path]:
    """The partner's key ring: its private key and our public one."""
    with keys.gnupg_home() as home:
        for material in (key.private, signer.public):
            subprocess.run(
                ["gpg", "--homedir", str(home), "--batch", "--quiet", "--import"],
                input=material,
                check=True,
                capture_output=True,
            )
        yield home


def decrypt(home: Path, file: Path, signer: str) -> bytes:
    """The content, where gpg opens it and the signature is by `signer`. Raises ValueError with gpg's word."""
    done = subprocess.run(
        [
            "gpg",
            "--homedir",
            str(home),
            "--batch",
            "--status-fd",
            "2",
            "--trust-model",
            "always",
            "--decrypt",
            str(file),
        ],
        capture_output=True,
        check=False,
    )
    status = done.stderr.decode(errors="replace")
    if done.returncode != 0 or f"VALIDSIG {signer}" not in status:
        raise ValueError(status)
    return done.stdout


def open_files(deployment: LocalDeployment, window: Window) -> dict[str, Opened]:
    """Every file of the window that lies at the partner, by dataset."""
    found: dict[str, Opened] = {}
    with partner_home(deployment.cloud.partner_key, deployment.cloud.signing_key) as home:
        for name, dataset in deployment.datasets.items():
            for file in deployment.received():
                if file.name.startswith(f"{name}_{window.start:%Y%m%dT%H%M%SZ}_"):
                    found[name] = _opened(deployment, home, dataset, file, window)
    return found


def _opened(deployment: LocalDeployment, home: Path, dataset: Dataset, file: Path, window: Window) -> Opened:
    folder = f"{dataset.series}/{window.start:%Y/%m/%d/%H%M}/r1/"
    try:
        content = decrypt(home, file, deployment.cloud.signing_key.fingerprint)
    except ValueError as error:
        return Opened(file, folder, 0, False, f"does not open: {error}")
    theirs = read_csv(content, dataset)
    ours = in_warehouse(deployment, dataset, window)
    same = sorted(theirs, key=str) == sorted(ours, key=str)
    return Opened(file, folder, len(theirs), same, "identical" if same else "differs from the warehouse")


def read_csv(content: bytes, dataset: Dataset) -> list[tuple[str | None, ...]]:
    """The rows as text, null and empty kept apart, by DuckDB's reader."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(content)
        file.flush()
        columns = "{" + ", ".join(f"'{column.name}': 'VARCHAR'" for column in dataset.columns) + "}"
        reader = (
            f"read_csv('{file.name}', header=true, columns={columns}, auto_detect=false, delim=',', quote='\"', "
            "escape='\"', nullstr='', allow_quoted_nulls=false, strict_mode=true)"
        )
        return duckdb.connect().execute(f"SELECT * FROM {reader}").fetchall()


def in_warehouse(
    deployment: LocalDeployment, dataset: Dataset, window: Window, at: str = ""
) -> list[tuple[str | None, ...]]:
    """The rows that should have been sent, as text, worked out in SQL alone; `at` is a past instant to look from."""
    instant = f"FOR SYSTEM_TIME AS OF TIMESTAMP '{at}' " if at else ""
    text = {
        "TIMESTAMP": "FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', `{0}`)",
        "DATE": "CAST(`{0}` AS STRING)",
        "BOOL": "CAST(`{0}` AS STRING)",
        "INT64": "CAST(`{0}` AS STRING)",
    }
    columns = ", ".join(
        text.get(column.type, "`{0}`").format(column.source) + f" AS `{column.name}`" for column in dataset.columns
    )
    rows = deployment.tables.sql(
        f"SELECT {columns} FROM `{deployment.tables.name}.{dataset.table}` {instant}"
        f"WHERE {dataset.change} >= @start AND {dataset.change} < @end AND {dataset.filter or 'TRUE'}",
        bigquery.ScalarQueryParameter("start", "TIMESTAMP", window.start),
        bigquery.ScalarQueryParameter("end", "TIMESTAMP", window.end),
    )
    scales = [column.scale for column in dataset.columns]
    return [
        tuple(
            value if value is None or scale is None else f"{value:.{scale}f}"
            for value, scale in zip(row.values(), scales, strict=True)
        )
        for row in rows
    ]
