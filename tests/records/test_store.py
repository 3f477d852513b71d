"""Records: created once, read back as they were written, noticed when they are altered."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.budget import Budget
from pipeline.clients.storage import Bucket, client
from pipeline.errors import RecordDamaged
from pipeline.records.schema import Plan, PlannedPart, Refused, Sending
from pipeline.records.store import Folder, Records
from pipeline.settings import from_environment
from pipeline.window import HOUR, Delivery, Slot, Window
from tests.deployment import InProcessDeployment
from tests.sample_contract import WINDOW

SLOT = Slot("payments", WINDOW)
FIRST = Delivery(SLOT, 1)
AT = datetime(2026, 11, 23, 14, 5, 6, 789_012, tzinfo=UTC)
PART = PlannedPart(
    part=1,
    rows=2,
    keys=2,
    bytes=99,
    fingerprint="123456789012345678901234567890",
    totals={"sum(amount)": "-0.01", "min(at)": None, 'odd "name" é💶': "x"},
)
PLAN = Plan(
    created=AT,
    version="0.1.0",
    dataset="payments",
    contract="1.0.0",
    start=WINDOW.start,
    end=WINDOW.end,
    revision=1,
    snapshot=AT,
    rows=2,
    parts=(PART,),
    cause="message \u2028 ü",
)


@pytest.fixture
def records(deployment: InProcessDeployment) -> Records:
    return Records(Bucket(client(from_environment()), f"{deployment.name}-records", Budget.of(60)))


def sending(attempt: str) -> Sending:
    """A small record, another for every attempt."""
    return Sending(created=AT, version="0.1.0", part=1, attempt=attempt)


def stored(deployment: InProcessDeployment, name: str) -> Any:
    """The object of a record of FIRST."""
    return deployment.cloud.storage.bucket(f"{deployment.name}-records").blob(f"deliveries/{FIRST.folder}/{name}.json")


def test_a_record_is_read_back_equal(records: Records) -> None:
    assert records.create(FIRST, "plan", PLAN) == (PLAN, True)
    assert records.read(FIRST, "plan", Plan) == PLAN


def test_the_loser_reads_the_winner(records: Records) -> None:
    records.create(FIRST, "sending-1-a", sending("winner"))
    assert records.create(FIRST, "sending-1-a", sending("loser")) == (sending("winner"), False)
    assert records.read(FIRST, "sending-1-a", Sending) == sending("winner")


def test_of_many_at_once_one_wins_and_all_go_on_from_it(records: Records) -> None:
    start = threading.Barrier(8)

    def create(number: int) -> tuple[Sending, bool]:
        start.wait(30)
        return records.create(FIRST, "sending-1-x", sending(str(number)))

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(8)))
    assert sum(ours for _, ours in outcomes) == 1
    assert len({record.attempt for record, _ in outcomes}) == 1


def test_a_create_whose_answer_was_lost_is_still_ours(deployment: InProcessDeployment, records: Records) -> None:
    deployment.break_storage("/o", "lose")
    assert records.create(FIRST, "plan", PLAN) == (PLAN, True)


def test_what_was_never_recorded_is_none(records: Records) -> None:
    assert records.read(FIRST, "plan", Plan) is None


def test_a_record_is_json_for_people_too(deployment: InProcessDeployment, records: Records) -> None:
    records.create(FIRST, "plan", PLAN)
    content = json.loads(stored(deployment, "plan").download_as_bytes())
    assert content["record"]["start"] == "2026-11-23T13:00:00Z"
    assert content["record"]["parts"][0]["totals"]["sum(amount)"] == "-0.01"


def edited(text: str, **fields: object) -> str:
    """The object with other fields in its record and the digest as it was."""
    content = json.loads(text)
    return json.dumps({**content, "record": {**content["record"], **fields}})


ALTERED: dict[str, Callable[[str], str]] = {
    "another number of rows": lambda text: text.replace('"rows": 2', '"rows": 3'),
    "another snapshot": lambda text: text.replace("14:05:06", "14:05:07"),
    "a part taken away": lambda text: edited(text, parts=[]),
    "a field added": lambda text: edited(text, more=1),
    "the digest taken away": lambda text: json.dumps({"record": json.loads(text)["record"]}),
    "the record taken away": lambda text: json.dumps({"sha256": json.loads(text)["sha256"]}),
    "half of it": lambda text: text[: len(text) // 2],
    "nothing": lambda text: "",
    "a list": lambda text: "[]",
    "null": lambda text: "null",
    "no text": lambda text: "\x00",
}


@pytest.mark.parametrize("case", ALTERED)
def test_an_altered_record_is_refused(deployment: InProcessDeployment, records: Records, case: str) -> None:
    records.create(FIRST, "plan", PLAN)
    before = stored(deployment, "plan").download_as_bytes().decode()
    after = ALTERED[case](before)
    assert after != before
    stored(deployment, "plan").upload_from_string(after)
    with pytest.raises(RecordDamaged, match=r"The record deliveries/payments/2026/11/23/1300/r1/plan\.json"):
        records.read(FIRST, "plan", Plan)
    with pytest.raises(RecordDamaged):
        records.create(FIRST, "plan", PLAN)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_is_noticed_or_changes_nothing(
    deployment: InProcessDeployment, records: Records, data: st.DataObject
) -> None:
    records.create(FIRST, "plan", PLAN)
    blob = stored(deployment, "plan")
    before = blob.download_as_bytes()
    damaged = bytearray(before)
    damaged[data.draw(st.integers(0, len(before) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    blob.upload_from_string(bytes(damaged))
    assert read_or_damaged(records) in (PLAN, None)
    blob.upload_from_string(before)


def read_or_damaged(records: Records) -> Plan | None:
    """The plan; None where it is refused."""
    try:
        return records.read(FIRST, "plan", Plan)
    except RecordDamaged:
        return None


def test_a_record_of_another_kind_is_refused(records: Records) -> None:
    records.create(FIRST, "refused", sending("x"))
    with pytest.raises(RecordDamaged, match="cannot be read as Refused"):
        records.read(FIRST, "refused", Refused)


def test_one_listing_tells_revisions_parts_numbers_and_attempts(records: Records) -> None:
    for revision, name in (
        *((1, "plan"), (1, "refused"), (2, "plan"), (10, "plan")),
        *((2, "sealed-1"), (2, "sealed-2"), (2, "delivered-1-1"), (2, "delivered-2-1"), (2, "delivered-2-2")),
        *((2, "sending-1-abc"), (2, "sending-1-def"), (2, "sending-2-abc"), (3, "sealed-1")),
    ):
        records.create(Delivery(SLOT, revision), name, sending("x"))
    folder = records.folder(SLOT)
    assert folder.revisions == [1, 2, 10]
    assert folder.numbers(2, "sealed") == [(1,), (2,)]
    assert folder.numbers(2, "delivered") == [(1, 1), (2, 1), (2, 2)]
    assert folder.attempts(2, "sending", 1) == ["abc", "def"]
    assert (folder.has(1, "refused"), folder.has(2, "refused")) == (True, False)


def test_a_folder_without_records_is_empty(records: Records) -> None:
    folder = records.folder(SLOT)
    assert (folder.revisions, folder.numbers(1, "sealed"), folder.names) == ([], [], frozenset())


def test_neighbours_are_not_listed(records: Records) -> None:
    for slot in (Slot("payments", Window.hour(WINDOW.end)), Slot("pay", WINDOW), Slot("payments2", WINDOW)):
        records.create(Delivery(slot, 1), "plan", PLAN)
    assert records.folder(SLOT) == Folder(SLOT, frozenset())


def test_the_folders_of_many_hours_are_those_of_each_hour(records: Records) -> None:
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    window = Window(midnight - 2 * HOUR, midnight + 2 * HOUR)
    for hour in (midnight - 3 * HOUR, midnight - HOUR, midnight, midnight + 2 * HOUR):
        records.create(Delivery(Slot("payments", Window.hour(hour)), 1), "plan", PLAN)
    folders = records.folders("payments", window)
    assert [slot.window.start - midnight for slot in folders] == [timedelta(hours=n) for n in (-2, -1, 0, 1)]
    assert [folder.revisions for folder in folders.values()] == [[], [1], [1], []]
    assert all(folder == records.folder(slot) for slot, folder in folders.items())
