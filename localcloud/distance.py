"""How far away each service is: what a request takes longer than on loopback, and what the lines between carry.

On loopback nothing is far. `CLOUD` is what a function in the cloud meets; the sources stand beside the figures. Traffic
that is limited shares its line with all other traffic of the same service and direction.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Distance:
    """Milliseconds and bytes a second, 0 for none and for any number of them."""

    storage_ms: float = 0
    """Each request."""
    bigquery_job_ms: float = 0
    """Each query and load job, before it runs."""
    secretmanager_ms: float = 0
    """Each request."""
    pubsub_ms: float = 0
    """Each request; streams and pushes are not delayed."""
    partner_ms: float = 0
    """A round trip."""
    partner_rate: float = 0
    """The partner's line, each direction."""
    egress_rate: float = 0
    """The instance's line to Cloud Storage, each direction."""

    def options(self, service: str) -> tuple[str, ...]:
        """What the program of a service takes on its command line."""
        values = {
            "storage": {"--latency-ms": self.storage_ms, "--bytes-per-second": self.egress_rate},
            "bigquery": {"--job-ms": self.bigquery_job_ms},
            "secretmanager": {"--latency-ms": self.secretmanager_ms},
            "pubsub": {"--latency-ms": self.pubsub_ms},
            "partner": {"--rtt-ms": self.partner_ms, "--bytes-per-second": self.partner_rate},
        }[service]
        return tuple(word for name, value in values.items() if value for word in (name, f"{value:g}"))


NONE: Final = Distance()
CLOUD: Final = Distance(
    # Measured by others: metadata of an object 35-75 ms, a small upload 170 ms and more (gist.github.com/markvincze,
    # "Cloud Storage benchmarks", across regions). 50 ms is a request inside one.
    storage_ms=50,
    # Google gives no figure. Small queries are believed to take about a second from request to result.
    bigquery_job_ms=1000,
    # Assumed: a regional API behind Google's front end, as storage without the disk.
    secretmanager_ms=30,
    # Assumed: a publish is acknowledged when it is stored in two zones.
    pubsub_ms=20,
    # Assumed: two providers in neighbouring regions of one continent; lines of 10 to 40 MB/s a session are reported.
    partner_ms=30,
    partner_rate=25_000_000,
    # https://docs.cloud.google.com/run/docs/configuring/vpc-direct-vpc, "Limitations": 1 Gbps an instance.
    egress_rate=125_000_000,
)


class Line:
    """A line of so many bytes a second (0: any number) that all threads share."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free = 0.0
        self._lock = threading.Lock()

    def carry(self, size: int) -> None:
        """Return when the line has carried so many bytes more."""
        wait = self.due(size, time.monotonic()) - time.monotonic()
        if wait > 0:
            time.sleep(wait)

    def due(self, size: int, now: float) -> float:
        """The instant, on the clock of `now`, at which so many bytes more have passed."""
        if not self._rate:
            return now
        with self._lock:
            self._free = max(now, self._free) + size / self._rate
            return self._free
