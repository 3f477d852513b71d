"""Collect where a partner has let a hundred thousand returned files pile up, nearly all of them collected before."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import requests

from localcloud.deployment import LocalDeployment
from localcloud.distance import NONE
from localcloud.processes import environment, repository
from pipeline.records.envelope import written
from pipeline.records.returns import RETURNS
from pipeline.records.schema import Returned
from tests.bench.certify import EVERYTHING
from tests.bench.figures import Figure
from tests.bench.harness import Options, bench_deployment
from tests.operation.misbehaving import NOW, Entry, Table, misbehaving

ENTRIES: Final = {"quick": 5_000, "default": 100_000, "full": 100_000}
NEW: Final = 20
CONTENT: Final = b"accepted"
COMMAND: Final = """
import json, pathlib, sys, time
from pipeline.__main__ import main
try:
    main(["collect", "--here"])
finally:
    status = pathlib.Path("/proc/self/status").read_text()
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"memory": int(peak) * 1024, "cpu": time.process_time()}), file=sys.stderr)
"""
"""`python -m pipeline collect --here`, and what its process used at most."""


def run(options: Options) -> Iterator[Figure]:
    """Seconds, memory and requests of the whole command, with files that are new and without."""
    entries = ENTRIES["full" if options.full else "quick" if options.quick else "default"]
    names = [f"answer-{number:06}.txt" for number in range(entries)]
    with bench_deployment(options, "returns", distance=NONE, partner="aws") as deployment, misbehaving() as table:
        deployment.tables.create(deployment.datasets.values())
        table.serve({name.encode(): Entry(CONTENT) for name in names})
        _record(deployment, names[NEW:])
        for what in (f"{NEW} of them new", "none of them new"):
            yield from _measured(deployment, options, table, f"{entries:,} returned files, {what}")


def _measured(deployment: LocalDeployment, options: Options, table: Table, name: str) -> Iterator[Figure]:
    deployment.cloud.add_secret("returns-key", table.login.private)
    deployment.cloud.add_secret("returns-host-keys", table.host_key.public)
    settings = {
        "RETURNS_HOST": "127.0.0.1",
        "RETURNS_PORT": str(table.port),
        "RETURNS_USER": "amazon",
        "RETURNS_KEY_SECRET": "returns-key",
        "RETURNS_HOST_KEYS_SECRET": "returns-host-keys",
    }
    deployment.cloud.break_storage("/b/", "error", skip=EVERYTHING)
    values = environment({**deployment.environment(), **settings}, without=())
    listings, began = table.listings, time.monotonic()
    done = subprocess.run(
        [options.python, "-c", COMMAND], cwd=repository(), env=values, capture_output=True, text=True, check=True
    )
    seconds, used = time.monotonic() - began, json.loads(done.stderr.splitlines()[-1])
    asked = requests.get(f"{deployment.cloud.address('storage', 'url')}/_faults", timeout=5).json()[-1]["seen"]
    deployment.cloud.end_faults()
    yield Figure("returns", name, "s", (seconds,), note=f"{table.listings - listings} listing of the server")
    yield Figure("returns", f"{name}, processor", "s", (used["cpu"],))
    yield Figure("returns", f"{name}, memory", "MB", (used["memory"] / 1e6,), goal=400)
    yield Figure("returns", f"{name}, requests to the store", "requests", (asked,), note="a thousand names each")


def _record(deployment: LocalDeployment, names: list[str]) -> None:
    """Record that these files were collected: one by the store, the others beside it where the store keeps them."""
    bucket, root = deployment.cloud.storage.bucket("records"), deployment.cloud.root / "buckets" / "records"
    blob = bucket.blob(_path(names[0]))
    blob.upload_from_string(_written(names[0]))
    deployment.cloud.services["storage"].stop()
    described = next(path for path in root.glob("*.json") if _path(names[0]) in path.read_text())
    for number, name in enumerate(names[1:], 1):
        _copied(described, number, names[0], name)
    deployment.cloud.start_service("storage")


def _copied(described: Path, number: int, first: str, name: str) -> None:
    generation = str(int(described.stem) + number)
    text = described.read_text().replace(_path(first), _path(name)).replace(described.stem, generation)
    described.with_name(f"{generation}.json").write_text(text)
    described.with_name(f"{generation}.data").write_bytes(_written(name))


def _path(name: str) -> str:
    return f"{RETURNS}/{name}/{len(CONTENT)}-{NOW}.json"


def _written(name: str) -> bytes:
    size = len(CONTENT)
    return written(
        Returned(
            file_name=name,
            size=size,
            modified=NOW,
            archived=None,
            opened=None,
            signature="not encrypted",
            error=False,
            dataset=None,
            start=None,
            revision=None,
        )
    )
