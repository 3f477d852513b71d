"""What a month costs: the table in terraform/README.md, worked out from what was counted and from list prices.

`python -m tests.terraform.tables` writes it. Requests and bytes of one delivery and one certify are counted by
tests/chain/test_cost.py on the local cloud; sizes and times are the example's, and prices are Google's list prices in
europe-west1, in US dollars, without discounts (https://cloud.google.com/products/calculator).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.certify.depths import due
from pipeline.log import ALERTS
from pipeline.settings import Settings
from tests.bench.measurements import median

HOURS: Final = 730
DATASETS: Final = 3
GIGABYTE, GIB, TIB = 1e9, 2**30, 2**40

BYTES_AN_HOUR: Final = 200e6
"""CSV of all datasets in an hour; the tables hold about as much."""

LINE: Final = 25e6
"""Bytes a second to the partner, as in localcloud/distance.py."""

SECONDS_OF_A_DELIVERY: Final = 60
SECONDS_OF_A_CERTIFY: Final = 60
VCPU, MEMORY_GIB = 2, 2
IMAGES_GB: Final = 3
OTHER_POLICIES: Final = 6 + 2 * DATASETS
"""Alert policies that rest on no event of the function; two for each promise."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests to Cloud Storage that create or list (class A) and that read (class B), and what BigQuery reads.

    `scanned` is in units of the bytes that the hour's rows take in the table.
    """

    class_a: float
    class_b: float
    secrets: float
    scanned: float


DELIVERY: Final = Counted(class_a=11, class_b=3, secrets=5, scanned=1.0)
"""One delivery of one part. Its rows are read over the Storage Read API, of which 300 TiB a month are free."""

CERTIFY: Final = Counted(class_a=20, class_b=28, secrets=5, scanned=1.0)
"""One certify of one dataset with a look-back below a day, whatever its length, with the page and the ledger's page of
one delivery's records. All columns of one hour are read."""

CERTIFIED_SLOT: Final = Counted(class_a=0, class_b=5, secrets=0, scanned=0.04)
"""One hour of one dataset in a certify that finds nothing new and reads rows and times of change alone."""


NOTHING: Final = Counted(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Way:
    """A way of sharing the example's hours: seconds that all deliveries of an hour take in the function, what one asks
    of the cloud, which share of CSV and of sealed files is kept for good, and whether somebody certifies and watches.
    """

    seconds: float
    delivery: Counted
    csv: float
    sealed: float
    certifies: bool


OURS: Final = Way(DATASETS * SECONDS_OF_A_DELIVERY, DELIVERY, csv=1, sealed=1, certifies=True)


@dataclass(frozen=True, slots=True)
class Compression:
    """What gpg makes of the generated payments: the sealed file's share of the CSV, and bytes of CSV a second."""

    share: float
    rate: float


COMPRESSIONS: Final = {
    level: Compression(median(f"compression: {level}, share"), median(f"compression: {level}, gpg") * 1e6)
    for level in ("none", "zlib:1", "zlib:6")
}
"""Measured: `python -m tests.bench compression --record`."""

CHOSEN: Final = str(Settings.model_fields["pgp_compression"].default)
LOOK_BACK: Final = int(Settings.model_fields["look_back_hours"].default)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `later` is what it costs a month after a year."""

    what: str
    how_much: str
    price: str
    now: float
    later: float


def lines(compression: str = CHOSEN, way: Way = OURS) -> list[Line]:
    """The lines, without their sum."""
    share = COMPRESSIONS[compression].share
    return [*_running(way), *_storing(way, share), *_sending(share), *(_watching() if way.certifies else ())]


def month(way: Way) -> float:
    """Dollars in the first month."""
    return sum(line.now for line in lines(way=way))


def compressions() -> str:
    """What compression costs and saves, as Markdown: a gigabyte of CSV, sealed first and sent then; a month's bill."""
    rows = [
        "| compression | sealed | gpg | line | one after the other | dollars a month |",
        "|---|---|---|---|---|---|",
    ]
    for name, made in COMPRESSIONS.items():
        gpg, line, month = 1e9 / made.rate, 1e9 * made.share / LINE, sum(row.now for row in lines(name))
        shown = f"**`{name}`**, the default" if name == CHOSEN else f"`{name}`"
        rows.append(
            f"| {shown} | {made.share:.2f} GB | {gpg:.0f} s | {line:.0f} s | {gpg + line:.0f} s | {month:.2f} |"
        )
    plain, chosen = COMPRESSIONS["none"], COMPRESSIONS[CHOSEN]
    if chosen is not plain:
        even = (plain.share - chosen.share) / (1 / chosen.rate - 1 / plain.rate)
        rows += ["", f"On a line of more than {even / 1e6:.0f} MB/s `none` would be faster."]
    return "\n".join(rows)


def table() -> str:
    """The table as Markdown."""
    rows = lines()
    head = ["| what | how much a month | price | first month | after a year |", "|---|---|---|---|---|"]
    body = [f"| {row.what} | {row.how_much} | {row.price} | {row.now:.2f} | {row.later:.2f} |" for row in rows]
    sums = f"| **In all** | | | **{sum(row.now for row in rows):.2f}** | **{sum(row.later for row in rows):.2f}** |"
    return "\n".join([*head, *body, sums])


def _running(way: Way) -> Iterator[Line]:
    certify, slot = (CERTIFY, CERTIFIED_SLOT) if way.certifies else (NOTHING, NOTHING)
    seconds = HOURS * (way.seconds + (SECONDS_OF_A_CERTIFY if way.certifies else 0))
    cost = _over(seconds * VCPU, 180_000) * 24e-6 + _over(seconds * MEMORY_GIB, 360_000) * 2.5e-6
    yield Line(
        f"Function, an hour: {DATASETS} deliveries of {way.seconds / DATASETS:.0f} s, "
        f"a certify of {SECONDS_OF_A_CERTIFY} s",
        f"{seconds * VCPU:,.0f} vCPU s, {seconds * MEMORY_GIB:,.0f} GiB s",
        "0.000024 over 180,000 free; 0.0000025 over 360,000 free",
        cost,
        cost,
    )
    looks = Counter(due(hours, LOOK_BACK) for hours in range(1, LOOK_BACK + 1))
    for what, factor in (
        (
            "BigQuery on demand: deliveries count the hour; reading it is free up to 300 TiB",
            way.delivery.scanned,
        ),
        (
            f"BigQuery: certify recounts, every hour, one column of {looks['totals']} hours, all columns of "
            f"{looks['columns']}",
            slot.scanned * looks["totals"] + certify.scanned * looks["columns"],
        ),
    ):
        tib = factor * BYTES_AN_HOUR * HOURS / TIB
        free = 1 if factor == way.delivery.scanned else max(0, 1 - way.delivery.scanned * BYTES_AN_HOUR * HOURS / TIB)
        cost = _over(tib, free) * 6.25
        yield Line(what, f"{tib:.2f} TiB", f"6.25 a TiB over {free:.2f} free", cost, cost)
    accesses = HOURS * (DATASETS * way.delivery.secrets + certify.secrets)
    cost = _over(accesses, 10_000) / 10_000 * 0.03
    yield Line("Secret Manager", f"{accesses:,.0f} accesses", "0.03 for 10,000 over 10,000 free", cost, cost)


def _storing(way: Way, share: float) -> Iterator[Line]:
    certify, slot = (CERTIFY, CERTIFIED_SLOT) if way.certifies else (NOTHING, NOTHING)
    month = (way.csv + way.sealed * share) * BYTES_AN_HOUR * HOURS / GIGABYTE
    later = month * 0.020 + 2 * month * 0.010 + 9 * month * 0.004
    yield Line(
        "Archive: CSV and sealed file",
        f"{month:,.0f} GB standard; after a year also {2 * month:,.0f} GB nearline, {9 * month:,.0f} GB coldline",
        "0.020, 0.010, 0.004 a GB",
        month * 0.020,
        later,
    )
    class_a = HOURS * DATASETS * (way.delivery.class_a + certify.class_a + slot.class_a * LOOK_BACK)
    class_b = HOURS * DATASETS * (way.delivery.class_b + certify.class_b + slot.class_b * LOOK_BACK)
    moved = (way.csv + way.sealed) * HOURS * DATASETS
    cost = class_a * 5e-6 + class_b * 0.4e-6
    yield Line(
        "Requests to Cloud Storage; objects that move to a colder class",
        f"{class_a:,.0f} class A, {class_b:,.0f} class B; {moved:,.0f} objects to each class",
        "0.005, 0.0004 for 1,000; 0.01, 0.02, 0.05 for 1,000",
        cost,
        cost + moved * (0.01 + 0.02 + 0.05) / 1000,
    )
    cost = _over(IMAGES_GB, 0.5) * 0.10
    yield Line("Images", f"{IMAGES_GB} GB", "0.10 a GB over 0.5 free", cost, cost)


def _sending(share: float) -> Iterator[Line]:
    gib = share * BYTES_AN_HOUR * HOURS / GIB
    yield Line("Traffic to the partner", f"{gib:.0f} GiB", "0.12 a GiB", gib * 0.12, gib * 0.12)
    cost = gib * 0.045 + HOURS * (0.0014 + 0.005)
    yield Line(
        "Cloud NAT: traffic, gateway, address", f"{gib:.0f} GiB, {HOURS} h", "0.045; 0.0014, 0.005 an hour", cost, cost
    )


def _watching() -> Iterator[Line]:
    conditions = len(ALERTS) + OTHER_POLICIES
    cost = conditions * 0.10 + 0.10 + 0.20
    yield Line(
        f"{conditions} alert conditions, 4 schedules, DNS zone", "", "0.10 each; 0.10 over 3 free; 0.20", cost, cost
    )
    yield Line("Messages, logs, metrics, builds", "within what is free", "", 0, 0)


def _over(amount: float, free: float) -> float:
    return max(0.0, amount - free)
