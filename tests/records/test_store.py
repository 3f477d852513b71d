"""Records: created once, read back as they were written, noticed when they are altered."""

import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.clients.counts import PartCount
from pipeline.errors import RecordDamaged
from pipeline.records.folder import Folder, SlotFolder
from pipeline.records.schema import Delivered, Plan
from pipeline.records.store import Records
from pipeline.window import HOUR, Delivery, Slot, Window
from tests.deployment import InProcessDeployment
from tests.sample_contract import WINDOW

SLOT = Slot("payments", WINDOW)
FIRST = Delivery(SLOT, 1)
AT = datetime(2026, 11, 23, 14, 5, 6, 789_012, tzinfo=UTC)
PART = PartCount(
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

DELIVERED = Delivered(
    part=1,
    attempt="abc",
    cause="message",
    began=AT,
    file_name="payments.csv.pgp",
    size=9,
    sha256="0" * 64,
    publish="direct",
    confirmation="size",
    host_key="SHA256:x",
)


@pytest.fixture
def records(deployment: InProcessDeployment) -> Records:
    return deployment.within().records


def stored(deployment: InProcessDeployment, name: str) -> Any:
    """The object of a record of FIRST."""
    return deployment.cloud.storage.bucket(f"{deployment.name}-records").blob(f"deliveries/{FIRST.folder}/{name}.json")


def folder(records: Records, delivery: Delivery = FIRST) -> Folder:
    """What a listing shows now."""
    return records.folder(delivery.slot).revision(delivery.revision)


def test_a_record_is_read_back_equal(records: Records) -> None:
    assert folder(records).create_plan(PLAN) == PLAN
    assert folder(records).plan() == PLAN


def test_the_attempt_that_comes_second_goes_on_with_the_record_of_the_first(records: Records) -> None:
    first, second = folder(records), folder(records)
    first.create_plan(PLAN)
    assert second.create_plan(PLAN.model_copy(update={"cause": "another"})) == PLAN
    assert folder(records).plan() == PLAN


def test_of_many_at_once_one_wins_and_all_go_on_from_it(records: Records) -> None:
    start = threading.Barrier(8)

    def create(number: int) -> Plan:
        mine = folder(records)
        start.wait(30)
        return mine.create_plan(PLAN.model_copy(update={"cause": str(number)}))

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(8)))
    assert len({plan.cause for plan in outcomes}) == 1


def test_what_is_appended_by_many_at_once_is_kept_for_each(records: Records) -> None:
    start = threading.Barrier(8)

    def append(number: int) -> None:
        mine = folder(records)
        start.wait(30)
        mine.add_delivered(DELIVERED.model_copy(update={"attempt": str(number)}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(8)))
    assert sorted(delivered.attempt for delivered in folder(records).deliveries(1)) == [str(n) for n in range(8)]


def test_a_create_whose_answer_was_lost_is_still_ours(deployment: InProcessDeployment, records: Records) -> None:
    mine = folder(records)
    deployment.break_storage("/o", "lose")
    assert mine.create_plan(PLAN) == PLAN


def test_an_append_whose_answer_was_lost_is_made_once(deployment: InProcessDeployment, records: Records) -> None:
    mine = folder(records)
    deployment.break_storage("/o", "lose")
    mine.add_delivered(DELIVERED)
    assert folder(records).deliveries(1) == [DELIVERED]


def test_a_record_that_a_later_version_made_is_read_after_a_roll_back(
    deployment: InProcessDeployment, records: Records
) -> None:
    body = PLAN.model_dump(mode="json")
    body |= {"version": "9.0.0", "later": {"a": 1}, "parts": [{**body["parts"][0], "later": "b"}]}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    stored(deployment, "plan").upload_from_string(json.dumps({"record": body, "sha256": digest}))
    assert folder(records).plan() == PLAN.model_copy(update={"version": "9.0.0"})


def test_what_was_never_recorded_is_none(records: Records) -> None:
    empty = folder(records)
    assert (empty.plan(), empty.sealed(1), empty.deliveries(1), empty.certificate()) == (None, None, [], None)


def test_a_record_is_json_for_people_too(deployment: InProcessDeployment, records: Records) -> None:
    folder(records).create_plan(PLAN)
    content = json.loads(stored(deployment, "plan").download_as_bytes())
    assert content["record"]["start"] == "2026-11-23T13:00:00Z"
    assert content["record"]["parts"][0]["totals"]["sum(amount)"] == "-0.01"


def altered(text: str, **fields: object) -> str:
    """The object with other fields in its record and the digest as it was."""
    content = json.loads(text)
    return json.dumps({**content, "record": {**content["record"], **fields}})


ALTERED: dict[str, Callable[[str], str]] = {
    "another number of rows": lambda text: text.replace('"rows": 2', '"rows": 3'),
    "another snapshot": lambda text: text.replace("14:05:06", "14:05:07"),
    "a part taken away": lambda text: altered(text, parts=[]),
    "a field added": lambda text: altered(text, more=1),
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
    folder(records).create_plan(PLAN)
    before = stored(deployment, "plan").download_as_bytes().decode()
    after = ALTERED[case](before)
    assert after != before
    stored(deployment, "plan").upload_from_string(after)
    with pytest.raises(RecordDamaged, match=r"The record deliveries/payments/2026/11/23/1300/r1/plan\.json"):
        folder(records).plan()
    with pytest.raises(RecordDamaged):
        folder(records).create_plan(PLAN)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_is_noticed_or_changes_nothing(
    deployment: InProcessDeployment, records: Records, data: st.DataObject
) -> None:
    folder(records).create_plan(PLAN)
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
        return folder(records).plan()
    except RecordDamaged:
        return None


def test_a_record_of_another_kind_is_refused(deployment: InProcessDeployment, records: Records) -> None:
    folder(records).create_plan(PLAN)
    stored(deployment, "refused").upload_from_string(stored(deployment, "plan").download_as_bytes())
    with pytest.raises(RecordDamaged, match="cannot be read as Refused"):
        folder(records).refusal()


def test_one_listing_tells_revisions_parts_numbers_and_attempts(records: Records) -> None:
    names: tuple[str, ...] = (
        "r1/plan",
        "r1/refused",
        "r2/plan",
        "r10/plan",
        "r2/sealed-1",
        "r2/sealed-2",
        "r2/delivered-1-1",
    )
    names += ("r2/delivered-2-1", "r2/delivered-2-10", "r2/sending-1-abc", "r2/sending-1-def", "r2/sending-2-abc")
    listed = SlotFolder(SLOT, dict.fromkeys(names, AT), records._bucket)
    assert listed.revisions == [1, 2, 10]
    assert listed.latest.delivery.revision == 10
    second = listed.revision(2)
    assert sorted(second.sealed_parts) == sorted(second.delivered_parts) == [1, 2]
    assert (set(second.attempts(1)), set(second.attempts(2))) == ({"abc", "def"}, {"abc"})
    assert (listed.revision(1).is_refused, second.is_refused) == (True, False)


def test_records_that_outlived_their_plan_are_noticed_and_a_certificate_alone_is_not(records: Records) -> None:
    def lacks(*names: str) -> bool:
        return SlotFolder(SLOT, dict.fromkeys(names, AT), records._bucket).lacks_its_plan

    assert not lacks()
    assert not lacks("r0/certificate-1", "r0/failed-20261126T15-source-unavailable")
    assert lacks("r1/sealed-1")
    assert not lacks("r1/sealed-1", "r1/plan")


def test_a_folder_without_records_is_empty(records: Records) -> None:
    listed = records.folder(SLOT)
    assert (listed.revisions, listed.latest.delivery.revision, listed.names) == ([], 0, {})


def test_neighbours_are_not_listed(records: Records) -> None:
    for slot in (Slot("payments", Window.hour(WINDOW.end)), Slot("pay", WINDOW), Slot("payments2", WINDOW)):
        folder(records, Delivery(slot, 1)).create_plan(PLAN)
    assert records.folder(SLOT).names == {}


def test_the_folders_of_many_hours_are_those_of_each_hour(records: Records) -> None:
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    window = Window(midnight - 2 * HOUR, midnight + 2 * HOUR)
    for hour in (midnight - 3 * HOUR, midnight - HOUR, midnight, midnight + 2 * HOUR):
        folder(records, Delivery(Slot("payments", Window.hour(hour)), 1)).create_plan(PLAN)
    folders = records.folders("payments", window)
    assert [slot.window.start - midnight for slot in folders] == [timedelta(hours=n) for n in (-2, -1, 0, 1)]
    assert [listed.revisions for listed in folders.values()] == [[], [1], [1], []]
    assert all(listed.names == records.folder(slot).names for slot, listed in folders.items())


def test_an_object_of_somebody_else_among_the_records_of_an_upload_hides_none_of_them(records: Records) -> None:
    names = ("r1/plan", "r1/sending-x", "r1/sending-", "r1/sending-2-abc")
    listed = SlotFolder(SLOT, dict.fromkeys(names, AT), records._bucket)
    assert listed.revision(1).interrupted_parts == (2,)
