"""Certify of many hours in one run, as after a backfill: what a person waits for who asks and wants the answer.

The hours are not delivered here: their records, archived objects and files are made as deliveries leave them.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
import requests

from localcloud import sampledata
from localcloud.deployment import LocalDeployment
from localcloud.distance import NONE
from pipeline import settings
from pipeline.budget import Budget
from pipeline.clients.bigquery import Connections, Source
from pipeline.clients.counts import HourCount, PartCount
from pipeline.clients.storage import Bucket, StoredObject
from pipeline.contracts.dataset import Dataset
from pipeline.records.schema import Delivered, Plan, Sealed, Sending
from pipeline.records.store import Records
from pipeline.window import Slot, Window, rfc3339
from tests.bench import data
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment, serving
from tests.bench.watching import watched
from tests.faults.push import message, push

ROWS: Final = 5
HOURS: Final = {"quick": 24, "default": 240, "full": 2208}
CONTENT: Final = b"the content of a file; certify compares what is said of it"
WRITERS: Final = 4
EVERYTHING: Final = 10**9


def run(options: Options) -> Iterator[Figure]:
    """Seconds, processor seconds and requests of one run over all hours, the first time and once more."""
    hours = HOURS["full" if options.full else "quick" if options.quick else "default"]
    with bench_deployment(options, "certify", narrow=False, distance=NONE, partner="aws") as deployment:
        window = Window(data.FIRST - timedelta(hours=hours), data.FIRST)
        for name, dataset in deployment.datasets.items():
            frames = [sampledata.rows(dataset, hour, ROWS, outside=0.0) for hour in window.hours()]
            deployment.tables.load(dataset.table, pl.concat(frames))
            deployment.tables.complete([name], window.end)
            _deliver(deployment, dataset, window)
        _move_away(deployment, options)
        slots = len(window) * len(deployment.datasets)
        for what in ("first time", "once more"):
            yield from _measured(deployment, options, window, what, slots)


def _measured(deployment: LocalDeployment, options: Options, window: Window, what: str, slots: int) -> Iterator[Figure]:
    bounds = {"start": rfc3339(window.start), "end": rfc3339(window.end)}
    question = {"action": "certify", "window": bounds, "answer": True, "cause": uuid.uuid4().hex}
    asked = message(json.dumps(question).encode())
    deployment.cloud.break_storage("/o", "error", skip=EVERYTHING)
    with serving(deployment, options, name=f"certify-{what[:5]}") as function:
        assert function.process is not None
        began = time.monotonic()
        with watched(function.process.pid) as use:
            answer = push(function.url, asked, patience=3400)
        seconds = time.monotonic() - began
        completed = [event for event in function.events() if event["event"] == "certify.completed"]
    if not answer.acknowledges or [event.get("certified") for event in completed] != [slots]:
        raise RuntimeError(f"Not everything was certified: {completed or list(function.events())[-3:]}")
    asked_for = requests.get(f"{deployment.cloud.address('storage', 'url')}/_faults", timeout=5).json()[-1]["seen"]
    deployment.cloud.end_faults()
    name = f"{len(window)} hours x {len(deployment.datasets)} datasets, {what}"
    yield Figure("certify", name, "s", (seconds,), note="budget 450 s")
    yield Figure("certify", f"{name}, processor", "s", (use.cpu,))
    yield Figure("certify", f"{name}, memory", "MB", (use.memory / 1e6,), goal=400)
    yield Figure("certify", f"{name}, requests to the store for each slot", "requests", (asked_for / slots,))


def _deliver(deployment: LocalDeployment, dataset: Dataset, window: Window) -> None:
    """The records, archived objects and files of every hour, as its delivery would leave them."""
    made = settings.from_environment(deployment.environment())
    source = Source(Connections(made), made, Budget.of(600))
    snapshot = source.readiness(dataset).snapshot
    counts = source.hours(dataset, [window], snapshot)
    records, archive = (Bucket(deployment.cloud.storage, name, Budget.of(3000)) for name in ("records", "archive"))

    def one(slot: Slot) -> None:
        _recorded(deployment, dataset, slot, counts[slot.window.start], snapshot, Records(records), archive)

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(one, [Slot(dataset.name, hour) for hour in window.hours()]))


def _recorded(
    deployment: LocalDeployment,
    dataset: Dataset,
    slot: Slot,
    count: HourCount,
    snapshot: datetime,
    records: Records,
    archive: Bucket,
) -> None:
    folder, rows, total = records.folder(slot).revision(1), count.totals.rows, count.totals.change_total
    part = PartCount(1, rows, rows, 1, count.fingerprint, {}, total)
    bounds = {"start": slot.window.start, "end": slot.window.end}
    plan = {"dataset": dataset.name, "contract": dataset.version, "contract_sha256": dataset.sha256, "revision": 1}
    folder.create_plan(Plan(**plan, **bounds, snapshot=snapshot, rows=rows, parts=(part,), cause="backfill"))  # type: ignore[arg-type]
    name = dataset.file_for(folder.delivery, 1, 1)
    csv, sealed = (_archived(archive, f"{folder.delivery.folder}/attempt/{one}") for one in (name, f"{name}.pgp"))
    folder.create_sealed(
        Sealed(
            part=1,
            attempt="attempt",
            file_name=f"{name}.pgp",
            rows=rows,
            csv=csv,
            sealed=sealed,
            piece_size=8_388_608,
            piece_sha256=(sealed.sha256 or "",),
            recipient="",
            signer=None,
            keys={},
            opened=None,
        )
    )
    folder.announce(Sending(part=1, attempt="attempt"))
    folder.add_delivered(
        Delivered(
            part=1,
            attempt="attempt",
            cause="backfill",
            began=datetime.now(UTC),
            file_name=f"{name}.pgp",
            size=len(CONTENT),
            sha256=sealed.sha256 or "",
            publish="direct",
            confirmation="size",
            host_key="",
        )
    )
    (deployment.files / f"{name}.pgp").write_bytes(CONTENT)


def _archived(archive: Bucket, name: str) -> StoredObject:
    return archive.write(name, [CONTENT])


def _move_away(deployment: LocalDeployment, options: Options) -> None:
    """From now on the store is as far away as the options say; of the others a certify asks little."""
    cloud = deployment.cloud
    cloud.services["storage"].stop()
    cloud.distance = options.distance
    cloud.start_service("storage")
