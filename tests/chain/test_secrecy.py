"""What the function says, on stdout and stderr, holds no value of a row, no key and no passphrase, however it ends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
import pytest

from localcloud.function import Function
from localcloud.keys import ssh_key
from localcloud.partner.faults import Fault
from pipeline.window import HOUR, Slot, Window
from tests.deployment import HOUR as THEN
from tests.deployment import InProcessDeployment, asking
from tests.sample_contract import CONTRACT, table

# The pattern is what a log line may quote: it does not have the mark in it.
MARKED = CONTRACT.replace(
    "{name: text, physicalName: free_text, physicalType: STRING",
    "{name: text, physicalName: free_text, physicalType: STRING, logicalTypeOptions: {pattern: '^MARK[E]D-'}",
)
CASTING = (
    CONTRACT.replace("name: bookings\nversion", "name: casting\nversion")
    .replace("BK-", "CAST-")
    .replace("NOT is_internal OR is_internal IS NULL", "CAST(free_text AS INT64) > 0")
)
"""The same table under a condition that the warehouse cannot work out; its error quotes the value."""

AMOUNT = "987654321987"
PASSPHRASE = b"MARKED-passphrase"


@dataclass
class Served:
    """A function in a process of its own, and an hour of marked rows for every case."""

    deployment: InProcessDeployment
    function: Function
    hours: int = 0

    def hour(self, dataset: str = "bookings", **values: object) -> Slot:
        """An hour that nobody asked for yet, its rows marked; `values` replace columns."""
        window = Window.hour(THEN.start - self.hours * HOUR)
        self.hours += 1
        columns = {
            "booking_no": pl.format("MARKED-{}-key", pl.col("line")),
            "free_text": pl.format("MARKED-{}-text", pl.col("line")),
            "amount": pl.lit(AMOUNT).cast(pl.Decimal(38, 9)),
            "details": pl.lit('{"MARKED": 1}'),
        }
        frame = table(window, 20).with_columns(**columns).with_columns(**{k: pl.lit(v) for k, v in values.items()})
        self.deployment.tables.load("ledger_v2", frame)
        return Slot(dataset, window)

    def ask(self, slot: Slot) -> list[str]:
        """Ask for the slot; the codes of what failed in this run."""
        before = len(list(self.function.events()))
        self.deployment.post(self.function, asking(slot))
        return [event["code"] for event in list(self.function.events())[before:] if "code" in event]


@pytest.fixture
def served(deployment: InProcessDeployment) -> Iterator[Served]:
    deployment.cloud.add_secret(f"{deployment.name}-host-keys", deployment.cloud.server_key.public)
    deployment.cloud.add_secret(
        f"{deployment.name}-passphrase", (deployment.cloud.signing_key.passphrase or "").encode()
    )
    deployment.load_sample(0, contract=MARKED)
    (deployment.contracts_directory / "casting.yaml").write_text(CASTING)
    deployment.tables.complete(["bookings", "casting"], THEN.end)
    deployment.set(
        SFTP_HOST_KEYS_SECRET=f"{deployment.name}-host-keys", SIGNING_PASSPHRASE_SECRET=f"{deployment.name}-passphrase"
    )
    function = deployment.function(name=deployment.name).start()
    yield Served(deployment, function)
    function.stop()


def wrong_passphrase(served: Served) -> Slot:
    """The passphrase is another one now."""
    served.deployment.cloud.add_secret(f"{served.deployment.name}-passphrase", PASSPHRASE)
    return served.hour()


def right_passphrase_wrong_host(served: Served) -> Slot:
    """The partner's server shows another host key now."""
    served.deployment.cloud.add_secret(
        f"{served.deployment.name}-passphrase", (served.deployment.cloud.signing_key.passphrase or "").encode()
    )
    served.deployment.cloud.add_secret(f"{served.deployment.name}-host-keys", ssh_key().public)
    return served.hour()


def refusing_archive(served: Served) -> Slot:
    """The archive takes no upload."""
    served.deployment.cloud.add_secret(f"{served.deployment.name}-host-keys", served.deployment.cloud.server_key.public)
    served.deployment.break_storage("-archive/o.*uploadType=", "error", status=403, times=2)
    return served.hour()


def losing_stream(served: Served) -> Slot:
    """The warehouse leaves a message out."""
    served.deployment.cloud.end_faults()
    served.deployment.cloud.break_warehouse("ReadRows", "wrong-rows")
    return served.hour()


def dropping_partner(served: Served) -> Slot:
    """The partner's server breaks off."""
    served.deployment.cloud.end_faults()
    served.deployment.cloud.break_partner(Fault("write", "drop", name=f"{served.deployment.name}/*"))
    return served.hour()


CASES: dict[str, tuple[Callable[[Served], Slot], list[str]]] = {
    "delivered": (lambda served: served.hour(), []),
    "a value against its pattern": (lambda served: served.hour(free_text="UNMARKED-text"), ["rows-refused"]),
    "a key twice": (lambda served: served.hour(booking_no="MARKED-1-key", line=1), ["rows-refused"]),
    "a query that quotes a value": (lambda served: served.hour("casting"), ["source-unavailable"] * 2),
    "a wrong passphrase": (wrong_passphrase, ["key-unusable"] * 3),
    "a wrong host": (right_passphrase_wrong_host, ["partner-untrusted"] * 3),
    "an archive that refuses": (refusing_archive, ["archive-unavailable"] * 2),
    "a warehouse that loses rows": (losing_stream, ["source-changed"] * 2),
    "a partner that breaks off": (dropping_partner, ["partner-unavailable"] * 2),
}


def secrets(deployment: InProcessDeployment) -> list[str]:
    """Pieces of every key and passphrase, long enough to be no accident."""
    keys = (
        deployment.cloud.signing_key.private,
        deployment.cloud.partner_key.public,
        deployment.cloud.login_key.private,
        deployment.cloud.partner_key.private,
    )
    lines = [line for key in keys for line in key.decode().splitlines() if len(line) > 30 and "-----" not in line]
    assert len(lines) > 10
    return [*lines, str(deployment.cloud.signing_key.passphrase), PASSPHRASE.decode()]


def test_the_whole_output_holds_no_value_no_key_and_no_passphrase_in_any_case(served: Served) -> None:
    codes = {case: served.ask(prepare(served)) for case, (prepare, _) in CASES.items()}
    served.function.stop()
    output = served.function.log.read_text()
    found = [mark for mark in ("MARKED", AMOUNT, *secrets(served.deployment)) if mark in output]
    assert found == []
    for case, (_, expected) in CASES.items():
        assert set(codes[case]) == set(expected), (case, codes[case])
    delivered = served.deployment.files / f"BK-bookings.{THEN.start:%Y%m%dT%H%M%SZ}.r1.p1-1.txt.pgp"
    assert "MARKED-3-key" in served.deployment.open(delivered).decode()
