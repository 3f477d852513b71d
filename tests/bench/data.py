"""The rows that are measured with: seeded, believable payments of about 140 bytes as CSV.

They follow the deployed contract of `payments` cut down to eight columns, so that the same code, rules and totals are
at work; the whole contract's rows are 250 bytes, which is easier on everything that works row by row.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml

from localcloud import sampledata
from localcloud.deployment import LocalDeployment
from pipeline.settings import HERE
from pipeline.window import Window

ROW_BYTES: Final = 140
KEPT: Final = (
    *("payment_id", "customer_id", "beneficiary_name", "beneficiary_iban", "amount", "currency", "status"),
    *("in_program", "updated_at"),
)
LOADED: Final = 500_000
"""Rows of one load job: what the generator and the loader hold in memory."""

FIRST: Final = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


def contracts(directory: Path) -> Path:
    """Write the narrow contract into a directory of its own; the directory."""
    directory.mkdir()
    contract = yaml.safe_load((HERE / "contracts" / "payments.yaml").read_text())
    (schema,) = contract["schema"]
    schema["properties"] = [one for one in schema["properties"] if one["name"] in KEPT]
    (directory / "payments.yaml").write_text(yaml.safe_dump(contract, sort_keys=False, allow_unicode=True))
    return directory


def hour(number: int) -> Window:
    """The window of the n-th size: whole hours backwards from the last full one."""
    return Window.hour(FIRST - timedelta(hours=number))


def fill(deployment: LocalDeployment, window: Window, rows: int) -> None:
    """Load so many rows that will be shared, and declare the hour complete."""
    dataset = deployment.datasets["payments"]
    for seed, start in enumerate(range(0, rows, LOADED)):
        frame = sampledata.rows(dataset, window, min(LOADED, rows - start), seed=seed, outside=0.0)
        deployment.tables.load(dataset.table, frame)
    deployment.tables.complete(["payments"], FIRST + timedelta(hours=1))
