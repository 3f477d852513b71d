"""Two contracts of one dataset for an agreed time: two files for every hour, certified under both, with an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from localcloud.opened import read_csv
from pipeline.contracts import reader
from pipeline.errors import ContractInvalid
from pipeline.status.grid import cell
from pipeline.status.history import history
from pipeline.window import HOUR as AN_HOUR
from pipeline.window import Slot, Window, rfc3339
from tests.deployment import HOUR, InProcessDeployment, asking
from tests.sample_contract import CONTRACT, table

TEXT: Final = "      - {name: text, physicalName: free_text, physicalType: STRING}\n"
WATERMARK: Final = "      - {property: watermark, value: watermark}\n"


def properties(text: str, **values: str) -> str:
    """The contract with these properties of its table."""
    lines = "".join(f'      - {{property: {name}, value: "{value}"}}\n' for name, value in values.items())
    return text.replace(WATERMARK, WATERMARK + lines)


def new_contract(first: datetime) -> str:
    """The contract's next major version, which leaves out a column and says its version in the file name."""
    text = CONTRACT.replace("version: 2.3.4", "version: 3.0.0").replace(TEXT, "").replace("BK-", "BK-v{version}-")
    return properties(text, series="bookings_v3", firstHour=rfc3339(first))


def use_both(deployment: InProcessDeployment, *, first: datetime, end: datetime | None = None) -> None:
    """Deploy the new contract beside the old one, which ends then."""
    text = CONTRACT if end is None else properties(CONTRACT, endsAt=rfc3339(end)).replace("2.3.4", "2.4.0")
    deployment.use(text)
    (deployment.contracts_directory / "new.yaml").write_text(new_contract(first))
    deployment.set()


def loaded(deployment: InProcessDeployment) -> Slot:
    """Two hours of rows, complete at the source."""
    slot = deployment.load_sample(10)
    deployment.tables.load("ledger_v2", table(Window.hour(HOUR.start - AN_HOUR), 10))
    return slot


def test_the_first_hours_of_a_contract_that_were_never_asked_for_are_missing(deployment: InProcessDeployment) -> None:
    """Nothing was published for an hour or more after it began: its first plan is of a later hour, or there is none."""
    slot = loaded(deployment)
    use_both(deployment, first=HOUR.start)
    certifying = {**asking(slot), "action": "certify", "datasets": ["bookings_v3"]}
    ran = deployment.run(certifying)
    assert len(ran.named("window.missing")) == 1
    assert [ran.error for ran in deployment.drain()] == [None]
    assert len(deployment.run(certifying).named("window.certified")) == 1


def test_an_hour_goes_out_under_both_contracts_and_is_certified_under_both(deployment: InProcessDeployment) -> None:
    slot = loaded(deployment)
    use_both(deployment, first=HOUR.start)
    both = {"window": asking(slot)["window"]}
    assert deployment.run(both).error is None
    assert [ran.error for ran in deployment.drain()] == [None, None]
    files = {file.name: deployment.open(file) for file in deployment.files.iterdir()}
    assert {name[:9] for name in files} == {"BK-bookin", "BK-v3.0.0"}
    old, new = (reader.read(text, where="x") for text in (CONTRACT, new_contract(HOUR.start)))
    contents = [files[name] for name in sorted(files)]
    assert [len(read_csv(content, contract)) for content, contract in zip(contents, (old, new), strict=True)] == [
        10,
        10,
    ]
    ran = deployment.run({**both, "action": "certify"})
    certified = [(event["dataset"], event["event"]) for event in ran.events if event["event"].startswith("window.")]
    assert sorted(certified) == [("bookings", "window.certified"), ("bookings_v3", "window.certified")]


def test_hours_before_the_first_are_not_sent_under_the_new_contract_nor_missed(deployment: InProcessDeployment) -> None:
    """Else the whole look-back would be sent once more under another name."""
    loaded(deployment)
    use_both(deployment, first=HOUR.start)
    earlier = Slot("bookings_v3", Window.hour(HOUR.start - AN_HOUR))
    assert deployment.deliver(earlier).names[-2:] == ["delivery.not_due", "run.completed"]
    ran = deployment.run({**asking(earlier), "action": "certify"})
    assert [name for name in ran.names if name.startswith("window.")] == []
    run = deployment.within()
    assert cell(history(run.records.folder(earlier), run), run.now()).state == "not due"
    assert deployment.published() == []
    assert list(deployment.files.glob("BK-v3*")) == []


def test_from_its_end_on_nothing_is_sent_under_the_old_contract_and_what_was_begun_is_finished(
    deployment: InProcessDeployment,
) -> None:
    slot = loaded(deployment)
    earlier = Slot("bookings", Window.hour(HOUR.start - AN_HOUR))
    use_both(deployment, first=HOUR.start - AN_HOUR, end=HOUR.start)
    assert "delivery.not_due" in deployment.deliver(slot).names
    assert "delivery.completed" in deployment.deliver(earlier).names
    use_both(deployment, first=HOUR.start - AN_HOUR, end=HOUR.start - AN_HOUR)
    (deployment.contracts_directory / "contract.yaml").write_text(
        properties(CONTRACT, endsAt=rfc3339(HOUR.start - AN_HOUR)).replace("2.3.4", "2.5.0")
    )
    deployment.set()
    assert "delivery.completed" not in deployment.deliver(earlier).names
    assert deployment.deliver(earlier, resend=True).error is None
    assert len(list(deployment.files.glob("BK-bookings*"))) == 1


@pytest.mark.parametrize(("days", "threshold"), [(40, None), (29, 30), (13, 14), (6, 7), (0, 1)])
def test_a_contract_that_ends_is_warned_of_as_a_key_is(
    deployment: InProcessDeployment, days: int, threshold: int | None
) -> None:
    loaded(deployment)
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=days, hours=2)
    use_both(deployment, first=HOUR.start, end=end)
    found = deployment.run({"action": "keys"}).named("contract.ending")
    assert [event["threshold"] for event in found] == ([] if threshold is None else [threshold])
    assert all(event["dataset"] == "bookings" and event["days_left"] == days for event in found)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (("series", None), "there is another contract for bookings"),
        (("firstHour", None), "series: needs a firstHour"),
        (("BK-v{version}-", "BK-"), "may give a file the same name"),
        (("firstHour", "2026-12-01T00:30:00Z"), "must be a full hour in UTC"),
    ],
)
def test_two_contracts_that_could_hurt_each_other_are_refused(
    deployment: InProcessDeployment, edit: tuple[str, str | None], problem: str
) -> None:
    use_both(deployment, first=HOUR.start)
    lines = new_contract(HOUR.start).splitlines()
    what, value = edit
    if what.startswith("BK"):
        lines = [line.replace(what, str(value)) for line in lines]
    else:
        lines = [line for line in lines if f"property: {what}" not in line]
        if value is not None:
            lines.insert(lines.index(WATERMARK.rstrip()), f'      - {{property: {what}, value: "{value}"}}')
    (deployment.contracts_directory / "new.yaml").write_text("\n".join(lines))
    with pytest.raises(ContractInvalid, match=problem):
        reader.load(deployment.contracts_directory)
