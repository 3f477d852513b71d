"""Two million rows of one window, cut into parts that four instances deliver; do the parts add up?"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from rich.console import Console

from localcloud import sampledata
from localcloud.deployment import LocalDeployment, local_deployment
from localcloud.opened import decrypt, partner_home
from pipeline.window import Slot, Window
from tests.chaos.sums import in_file, in_warehouse
from tests.faults.push import asking_for
from tests.faults.traces import until

ROWS: Final = 2_000_000
PART_ROWS: Final = 250_000
WORKERS: Final = 4
DATASET: Final = "payments"
PATIENCE: Final = 900.0


def parts(console: Console, rows: int = ROWS, part_rows: int = PART_ROWS) -> bool:
    """Deliver the window and add up what the partner can open; whether it is what the warehouse holds."""
    with tempfile.TemporaryDirectory(prefix="pspp-parts-") as root, local_deployment(Path(root)) as deployment:
        slot = Slot(DATASET, Window.last_full_hour_before(datetime.now(UTC)))
        _load(deployment, slot, rows)
        function = deployment.function(workers=WORKERS, MAX_PART_ROWS=str(part_rows)).start()
        try:
            deployment.subscribe(function)
            began = time.monotonic()
            deployment.publish(asking_for(slot.window, DATASET).data)
            done = until(lambda: any(one["event"] == "delivery.completed" for one in function.events()), PATIENCE)
            seconds = time.monotonic() - began
        finally:
            function.stop()
        found = _partner_sums(deployment)
        expected = in_warehouse(deployment, slot)
    console.print(
        f"{expected[0]:,} rows in {len(found)} parts, largest {max(one[0] for one in found):,}, {WORKERS} instances: "
        f"{seconds:.0f} s"
    )
    total = (sum(one[0] for one in found), sum(one[1] for one in found), sum((one[2] for one in found), Decimal(0)))
    console.print(f"rows, keys and amounts of the parts together {total}; of the warehouse {expected}")
    return bool(done) and total == expected and max(one[0] for one in found) <= part_rows


def _load(deployment: LocalDeployment, slot: Slot, rows: int) -> None:
    dataset = deployment.datasets[slot.dataset]
    for number in range(-(-rows // PART_ROWS)):
        some = min(PART_ROWS, rows - number * PART_ROWS)
        deployment.tables.load(dataset.table, sampledata.rows(dataset, slot.window, some, seed=number, outside=0))
    deployment.tables.complete([slot.dataset], slot.window.end)


def _partner_sums(deployment: LocalDeployment) -> list[tuple[int, int, Decimal]]:
    with partner_home(deployment.cloud.partner_key, deployment.cloud.signing_key) as home:
        return [
            in_file(decrypt(home, file, deployment.cloud.signing_key.fingerprint)) for file in deployment.received()
        ]
