"""Contracts that change while deliveries are under way: what was begun is finished as it was begun, by any instance."""

from __future__ import annotations

from typing import Final

import pytest

from localcloud.opened import read_csv
from pipeline.contracts import reader
from pipeline.contracts.dataset import Dataset
from pipeline.deliver.plan import plan_for
from pipeline.messages import Request
from pipeline.verify import checks
from pipeline.window import HOUR as AN_HOUR
from pipeline.window import Slot, Window, rfc3339
from tests.deployment import HOUR, InProcessDeployment, asking
from tests.sample_contract import CONTRACT, table

RAISED: Final = CONTRACT.replace("version: 2.3.4", "version: 3.0.0")
TEXT: Final = "      - {name: text, physicalName: free_text, physicalType: STRING}\n"
CHANGES: Final = {
    "one more control total": RAISED.replace('"min(line)"', '"min(line)", "max(line)"'),
    "a narrower filter": RAISED.replace('"NOT is_internal OR is_internal IS NULL"', '"NOT is_internal AND line > 3"'),
    "a column removed": RAISED.replace(TEXT, ""),
    "columns moved": RAISED.replace(TEXT, "").replace("      - {name: touched", TEXT + "      - {name: touched"),
    "a stricter rule": RAISED.replace("{name: text,", "{name: text, required: true,"),
    "another file name": RAISED.replace("BK-{dataset}", "PSP-{dataset}"),
}
OLD: Final = reader.read(CONTRACT, where="bookings.yaml")


def plan(deployment: InProcessDeployment, slot: Slot) -> None:
    """Plan the slot, and stop there, as an instance does that is taken down."""
    run = deployment.within()
    plan_for(Request("deliver", "first", (slot.dataset,), slot.window), run.records.folder(slot), run)


def rows(deployment: InProcessDeployment, dataset: Dataset, pattern: str = "*") -> list[tuple[str | None, ...]]:
    """The rows of all files at the partner, as a reader of the contract finds them."""
    files = sorted(deployment.files.glob(pattern))
    return [row for file in files for row in read_csv(deployment.open(file), dataset)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_window_that_was_planned_before_a_deployment_is_delivered_as_planned(
    deployment: InProcessDeployment, change: str
) -> None:
    """Today this blocks the window: every attempt ends in source-changed, or rows that were fine are refused."""
    slot = deployment.load_sample(20, internal=2)
    plan(deployment, slot)
    deployment.use(CHANGES[change])
    assert deployment.deliver(slot).error is None
    (file,) = deployment.files.iterdir()
    assert file.name.startswith("BK-bookings")
    assert len(rows(deployment, OLD)) == 18
    assert [ran.error for ran in (deployment.deliver(slot), deployment.deliver(slot, resend=True))] == [None, None]
    assert [file.name for file in deployment.files.iterdir()] == [file.name]


def test_a_deployment_in_the_middle_of_a_delivery_of_nine_parts_changes_none_of_its_files(
    deployment: InProcessDeployment,
) -> None:
    slot = deployment.load_sample(130)
    deployment.set(MAX_PART_ROWS="30")
    assert deployment.deliver(slot).error is None
    messages = deployment.published()
    assert len(messages) == 9
    for message in messages[:4]:
        assert deployment.run(message).error is None
    deployment.use(CHANGES["a column removed"])
    for message in messages[4:]:
        assert deployment.run(message).error is None
    ran = deployment.drain()
    assert [one.error for one in ran if one.error] == []
    assert len(list(deployment.files.iterdir())) == 9
    assert len(rows(deployment, OLD)) == 130
    assert len({deployment.open(file).split(b"\r\n")[0] for file in deployment.files.iterdir()}) == 1


def test_a_deployment_in_the_middle_of_a_backfill_splits_it_between_two_deliveries(
    deployment: InProcessDeployment,
) -> None:
    slots = [deployment.load_sample(10)]
    for back in range(1, 6):
        window = Window.hour(HOUR.start - back * AN_HOUR)
        deployment.tables.load("ledger_v2", table(window, 10))
        slots.append(Slot("bookings", window))
    whole = {"start": rfc3339(slots[-1].window.start), "end": rfc3339(HOUR.end)}
    assert deployment.run({"window": whole, "datasets": ["bookings"]}).error is None
    messages = deployment.published()
    assert len(messages) == 6
    assert [deployment.run(message).error for message in messages[:2]] == [None, None]
    plan(deployment, slots[-3])
    deployment.use(CHANGES["another file name"])
    assert [deployment.run(message).error for message in messages[2:]] == [None] * 4
    begun = [file.name for file in deployment.files.glob("BK-*")]
    later = [file.name for file in deployment.files.glob("PSP-*")]
    assert (len(begun), len(later)) == (3, 3)
    assert len(rows(deployment, OLD)) == 60


def test_an_instance_of_the_earlier_deployment_finishes_what_the_later_one_began(
    deployment: InProcessDeployment,
) -> None:
    slot = deployment.load_sample(10)
    deployment.use(CHANGES["another file name"])
    plan(deployment, slot)
    deployment.use(CONTRACT)
    assert deployment.deliver(slot).error is None
    assert [file.name[:4] for file in deployment.files.iterdir()] == ["PSP-"]


def test_an_hour_is_certified_by_the_contract_that_it_was_delivered_under(deployment: InProcessDeployment) -> None:
    """Else every hour of the look-back looks altered after a deployment, and is sent once more."""
    slot = deployment.load_sample(20, internal=2)
    deployment.deliver(slot)
    for change in ("a column removed", "a narrower filter"):
        deployment.use(CHANGES[change].replace("3.0.0", f"3.{len(change)}.0"))
        ran = deployment.run({**asking(slot), "action": "certify"})
        assert ran.error is None
        assert [event["event"] for event in ran.events if event["event"].startswith("window.")] in (
            [],
            ["window.certified"],
        )
        assert deployment.published() == []


def test_the_records_name_the_contract_and_its_text_is_kept(deployment: InProcessDeployment) -> None:
    slot = deployment.load_sample(5)
    deployment.deliver(slot)
    folder = deployment.within().records.folder(slot).latest
    recorded, sealed = folder.plan(), folder.sealed(1)
    assert recorded is not None
    assert sealed is not None
    assert (recorded.contract, recorded.contract_sha256) == ("2.3.4", OLD.sha256)
    assert (sealed.contract, sealed.contract_sha256) == ("2.3.4", OLD.sha256)
    assert deployment.within().records.contract("bookings", "2.3.4") == CONTRACT


def test_the_same_version_with_another_text_is_invalid_at_start_and_nothing_is_planned(
    deployment: InProcessDeployment,
) -> None:
    slot = deployment.load_sample(5)
    deployment.deliver(slot)
    deployment.use(CHANGES["a narrower filter"].replace("3.0.0", "2.3.4"))
    later = Slot("bookings", Window.hour(HOUR.start - AN_HOUR))
    for content in (asking(later), {"action": "keys"}):
        error = deployment.run(content).error
        assert error is not None
        assert error.code == "contract-invalid"
        assert "bookings 2.3.4 was used with another text" in error.message
    assert deployment.within().records.folder(later).names == {}
    (check,) = [check for check in checks(deployment.within()) if check.what == "contract bookings 2.3.4"]
    assert check.state == "failed"
    assert "was used with another text" in check.detail
    deployment.use(CONTRACT)
    assert deployment.deliver(slot).error is None
