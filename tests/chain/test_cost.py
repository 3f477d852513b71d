"""What a delivery and a certify ask of the cloud, counted: the deployment guide's table of costs rests on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from pipeline.clients.secretmanager import Credentials, Secret
from pipeline.records import ledger
from pipeline.window import HOUR, Slot, Window
from tests.deployment import InProcessDeployment
from tests.terraform import cost
from tests.terraform.cost import CERTIFIED_SLOT, CERTIFY, DELIVERY, Counted

ROWS = 3000
LOOK_BACKS = (2, 5)


@dataclass
class Meter:
    """Everything that was asked since it was read last."""

    asked: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, int] = field(default_factory=dict)

    def read(self, hour: int) -> Counted:
        """What was asked, with an hour's bytes as the unit of what was scanned; begins anew."""
        scanned = sum(self.jobs.values()) / hour
        counted = Counted(self.asked["A"], self.asked["B"], self.asked["secret"], scanned)
        self.asked.clear()
        self.jobs.clear()
        return counted

    def note(self, request: requests.PreparedRequest, response: requests.Response) -> None:
        """Count one request."""
        url = urlsplit(str(request.url))
        if "/bigquery/" in url.path:
            content = response.json() if response.content else {}
            bytes_read = content.get("statistics", content).get("totalBytesProcessed")
            if bytes_read is not None and "jobReference" in content:
                self.jobs[content["jobReference"]["jobId"]] = int(bytes_read)
        elif request.method == "GET" and not url.path.endswith("/o"):
            self.asked["B"] += 1
        else:
            self.asked["A"] += 1


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    """A meter on the HTTP of Cloud Storage and BigQuery, and on the reads of secrets; it changes nothing."""
    made, send, read = Meter(), HTTPAdapter.send, Credentials.read

    def sent(adapter: HTTPAdapter, request: requests.PreparedRequest, *more: Any, **options: Any) -> requests.Response:
        response = send(adapter, request, *more, **options)
        made.note(request, response)
        return response

    def secret(credentials: Credentials, name: str) -> Secret:
        made.asked["secret"] += 1
        return read(credentials, name)

    monkeypatch.setattr(HTTPAdapter, "send", sent)
    monkeypatch.setattr(Credentials, "read", secret)
    return made


NAMES = ("class_a", "class_b", "secrets", "scanned")


def _each(figure: Callable[[str], float]) -> Counted:
    """Every figure from its name."""
    return Counted(*map(figure, NAMES))


def _close(counted: Counted, said: Counted) -> None:
    """Every figure is the one that the table uses, within a third, a request, a tenth of an hour's bytes."""
    for name in NAMES:
        measured, used = getattr(counted, name), getattr(said, name)
        least = 0.1 if name == "scanned" else 1
        assert measured == pytest.approx(used, rel=0.33, abs=least), f"{name} of {counted}: put it into {cost.__file__}"


def age(deployment: InProcessDeployment, names: str, time: timedelta) -> None:
    """Have the store say of the records of such names that they were created so much earlier."""
    deployment.cloud.age(f"^{deployment.records_bucket}/{names}", time.total_seconds())


def test_what_the_table_of_costs_counts_is_what_is_asked(deployment: InProcessDeployment, meter: Meter) -> None:
    latest = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    hours = [Window.hour(latest - timedelta(hours=back)) for back in reversed(range(max(LOOK_BACKS)))]
    deployment.tables.create(deployment.datasets.values())
    for window in hours:
        deployment.fill(window.start, {"payments": ROWS})
    meter.read(1)
    deployment.deliver(Slot("payments", hours[0]))
    hour = max(meter.jobs.values())
    _close(meter.read(hour), DELIVERY)
    for window in hours[1:]:
        deployment.deliver(Slot("payments", window))

    due = ledger.floor(datetime.now(UTC) - ledger.SETTLED) - HOUR
    newest = f"deliveries/.*/{hours[-1].start:%H%M}/"  # the ledger's page that is due has the records of one delivery
    ago = datetime.now(UTC) - (due + HOUR / 2)
    age(deployment, newest, ago)
    age(deployment, f"(?!{newest})", ago + timedelta(days=1))
    deployment.run({"action": "certify", "datasets": ["payments"]})
    steady = {}
    for look_back in LOOK_BACKS:
        deployment.set(LOOK_BACK_HOURS=str(look_back))
        for _ in range(2):  # the second finds nothing new
            for prefix in ("status/", ledger.path_of(due)):  # they are made once an hour, and certify runs once an hour
                for page in deployment.cloud.storage.list_blobs(deployment.records_bucket, prefix=prefix):
                    page.delete()
            meter.read(hour)
            deployment.run({"action": "certify", "datasets": ["payments"]})
        steady[look_back] = meter.read(hour)
    fewer, more = (steady[look_back] for look_back in LOOK_BACKS)
    slot = _each(lambda name: (getattr(more, name) - getattr(fewer, name)) / (LOOK_BACKS[1] - LOOK_BACKS[0]))
    _close(slot, CERTIFIED_SLOT)
    _close(_each(lambda name: getattr(fewer, name) - LOOK_BACKS[0] * getattr(slot, name)), CERTIFY)
