"""A delivery from end to end, and what a message may find: done before, nothing there, too much, too late."""

import hashlib
import json
from datetime import timedelta

import pytest

from localcloud import sampledata
from localcloud.opened import read_csv
from localcloud.partner.faults import Fault
from pipeline.errors import OutOfTime, PartnerUnavailable, SourceNotReady
from pipeline.window import HOUR, Slot, Window, rfc3339
from tests.bookings import CONTRACT, rows_in_file, table
from tests.tenant import HOUR as THEN
from tests.tenant import Tenant


@pytest.fixture(params=["tenant", "ordinary"], ids=["aws, direct", "openssh, rename"])
def corner(request: pytest.FixtureRequest) -> Tenant:
    """A corner of the cloud with the partner in either manner."""
    found: Tenant = request.getfixturevalue(request.param)
    return found


def content(corner: Tenant, name: str) -> bytes:
    """An archived object."""
    return bytes(corner.storage.bucket(f"{corner.name}-archive").blob(name).download_as_bytes())


def test_the_rows_of_the_hour_lie_at_the_partner_and_in_the_archive_and_the_records_say_so(corner: Tenant) -> None:
    slot = corner.load(count=200)
    ran = corner.deliver(slot, message_id="the message")
    assert ran.error is None
    (file,) = corner.received()
    assert corner.identical(slot, file)
    plain, sealed = corner.archived()
    assert content(corner, sealed) == file.read_bytes()
    assert content(corner, plain) == corner.open(file)
    records = corner.records(slot)
    assert {name for name in records if "sending" not in name} == {"r1/plan", "r1/sealed-1", "r1/delivered-1-1"}
    plan, proof, arrival = (records[f"r1/{name}"] for name in ("plan", "sealed-1", "delivered-1-1"))
    assert (
        plan["rows"]
        == proof["rows"]
        == plan["parts"][0]["keys"]
        == len(read_csv(corner.open(file), corner.datasets["payments"]))
    )
    assert proof["csv"]["sha256"] == proof["opened"]["sha256"] == hashlib.sha256(content(corner, plain)).hexdigest()
    assert proof["sealed"]["sha256"] == arrival["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (proof["signer"], proof["recipient"]) == (corner.signing_key.fingerprint, corner.partner_key.fingerprint)
    assert (arrival["confirmation"], arrival["file_name"], plan["cause"]) == ("size", file.name, "the message")
    assert proof["keys"] == {"pgp-partner-key": "1", "pgp-signing-key": "1"}


def test_rows_of_customers_outside_the_program_and_of_other_hours_never_leave(corner: Tenant) -> None:
    slot = corner.load(count=60)
    for start in (THEN.start - HOUR, THEN.end):
        corner.tables.load("payments", sampledata.rows(corner.datasets["payments"], Window.hour(start), 20))
    assert corner.deliver(slot).error is None
    everything = corner.tables.sql(f"SELECT COUNT(*) AS n FROM `{corner.tables.name}.payments`")[0]["n"]
    sent = read_csv(corner.open(corner.received()[0]), corner.datasets["payments"])
    assert 0 < len(sent) < 60
    assert everything == 100
    assert corner.identical(slot, *corner.received())


def test_a_contract_of_other_names_and_types_delivers_every_value(corner: Tenant) -> None:
    slot = corner.book(50, internal=6)
    assert corner.deliver(slot).error is None
    (file,) = corner.received()
    assert file.name == f"BK-bookings.{THEN.start:%Y%m%dT%H%M%SZ}.r1.p1-1.txt.pgp"
    sent = read_csv(corner.open(file), corner.datasets["bookings"])
    assert sorted(sent, key=str) == sorted(rows_in_file(table(THEN, 50, internal=6)), key=str)


def test_a_message_that_comes_twice_does_nothing_the_second_time(corner: Tenant) -> None:
    slot = corner.load()
    corner.deliver(slot, message_id="m")
    before = (corner.archived(), corner.records(slot), corner.received()[0].stat().st_mtime_ns)
    asked = len(corner.asked_of_partner())
    for message_id in ("m", "another"):
        ran = corner.deliver(slot, message_id=message_id)
        assert ran.names == ["run.started", "delivery.unchanged", "run.completed"]
    assert (corner.archived(), corner.records(slot), corner.received()[0].stat().st_mtime_ns) == before
    assert len(corner.asked_of_partner()) == asked


def test_settings_of_the_partner_are_followed(tenant: Tenant) -> None:
    slot = tenant.load(count=100)
    tenant.set(PGP_SIGN="false", PGP_COMPRESSION="zlib:6")
    assert tenant.deliver(slot).error is None
    proof = tenant.records(slot)["r1/sealed-1"]
    assert (proof["signer"], proof["opened"]["signer"]) == (None, None)
    assert proof["sealed"]["size"] < proof["csv"]["size"] / 2
    with pytest.raises(ValueError, match="DECRYPTION_OKAY"):  # it opens, without a signature
        tenant.open(tenant.received()[0])


# Nothing there


def test_an_empty_hour_is_recorded_and_nothing_is_sent(tenant: Tenant) -> None:
    slot = tenant.load(count=0)
    for _ in range(2):
        ran = tenant.deliver(slot)
        assert (ran.error, len(ran.named("delivery.empty"))) == (None, 1)
    assert (tenant.received(), tenant.archived()) == ([], [])
    records = tenant.records(slot)
    assert list(records) == ["r1/plan"]
    assert (records["r1/plan"]["rows"], records["r1/plan"]["parts"]) == (0, [])


def test_an_empty_hour_may_be_a_file_with_the_header_alone(corner: Tenant) -> None:
    slot = corner.book(0)
    ran = corner.deliver(slot)
    assert (ran.error, ran.named("delivery.empty")) == (None, [])
    (file,) = corner.received()
    assert corner.open(file) == b"booking,line,text,amount,rate,booked,cleared,details,touched\r\n"
    assert corner.records(slot)["r1/delivered-1-1"]["size"] == file.stat().st_size


def test_an_hour_whose_rows_are_all_outside_the_program_is_an_empty_one(tenant: Tenant) -> None:
    slot = tenant.book(10, internal=10, contract=CONTRACT.replace("value: file}", "value: record}"))
    assert tenant.deliver(slot).named("delivery.empty")
    assert tenant.received() == []


# Not there yet


def test_an_hour_that_is_not_complete_is_tried_again_and_then_delivered(tenant: Tenant) -> None:
    slot = tenant.load(count=20)
    later = Slot("payments", Window.hour(THEN.end))
    tenant.tables.load("payments", sampledata.rows(tenant.datasets["payments"], later.window, 20))
    ran = tenant.deliver(later, message_id="m")
    assert isinstance(ran.error, SourceNotReady)
    assert f"it is complete until {rfc3339(THEN.end)}" in str(ran.error)
    assert ran.error.retryable
    assert len(ran.named("source.late")) == 1
    assert (tenant.records(later), tenant.received(), tenant.rejected()) == ({}, [], [])
    tenant.tables.complete(["payments"], later.window.end)
    assert tenant.deliver(later, message_id="m").error is None
    assert tenant.identical(later, *tenant.received())
    assert tenant.deliver(slot).error is None


def test_a_dataset_that_was_never_complete_is_not_ready(tenant: Tenant) -> None:
    tenant.tables.create(tenant.datasets.values())
    ran = tenant.deliver(Slot("payments", THEN))
    assert isinstance(ran.error, SourceNotReady)
    assert "it is not complete for any time" in str(ran.error)


# Rows that break the contract


def broken(tenant: Tenant) -> Slot:
    """An hour with three payments that break two rules."""
    slot = tenant.load(count=100)
    ids = [
        row["payment_id"] for row in tenant.tables.sql(f"SELECT payment_id FROM {payments(tenant)} WHERE in_program")
    ]
    for number, payment in enumerate(sorted(ids)[:3]):
        change = "currency = 'marked-euro'" if number else "status = 'marked-lost'"
        tenant.tables.sql(f"UPDATE {payments(tenant)} SET {change} WHERE payment_id = '{payment}'")
    return slot


def payments(tenant: Tenant) -> str:
    """The table."""
    return f"`{tenant.tables.name}.payments`"


def test_rows_that_break_the_contract_are_refused_counted_and_told_by_hashed_key(tenant: Tenant) -> None:
    slot = broken(tenant)
    ran = tenant.deliver(slot, message_id="m")
    assert ran.error is None
    assert len(ran.named("rows.refused", "message.rejected")) == 2
    assert (tenant.received(), tenant.archived()) == ([], [])
    records = tenant.records(slot)
    assert set(records) == {"r1/plan", "r1/refused"}
    found = {rule["column"]: (rule["rule"], rule["rows"], len(rule["keys"])) for rule in records["r1/refused"]["rules"]}
    assert found == {"currency": ("pattern", 2, 2), "status": ("enum", 1, 1)}
    (rejected,) = map(json.loads, tenant.rejected())
    assert (rejected["code"], rejected["message_id"]) == ("rows-refused", "m")
    assert "currency pattern: 2 rows; status enum: 1 rows" in rejected["reason"]
    everything = json.dumps([records, rejected, ran.events])
    assert "marked" not in everything


def test_the_next_message_after_the_rows_were_mended_plans_the_next_revision(tenant: Tenant) -> None:
    slot = broken(tenant)
    tenant.deliver(slot, message_id="m")
    tenant.tables.sql(f"UPDATE {payments(tenant)} SET currency = 'EUR', status = 'pending' WHERE TRUE")
    assert [event["code"] for event in tenant.deliver(slot, message_id="m").named("message.rejected")] == [
        "rows-refused"
    ]
    assert tenant.received() == []
    assert tenant.deliver(slot, message_id="next").error is None
    (file,) = tenant.received()
    assert "_r2_" in file.name
    assert tenant.identical(slot, file)
    assert {"r1/plan", "r1/refused", "r2/plan", "r2/sealed-1", "r2/delivered-1-1"} <= set(tenant.records(slot))


def test_rows_that_are_still_broken_are_refused_again(tenant: Tenant) -> None:
    slot = broken(tenant)
    for message_id in ("one", "two"):
        tenant.deliver(slot, message_id=message_id)
    assert {name for name in tenant.records(slot) if "refused" in name} == {"r1/refused", "r2/refused"}
    assert tenant.received() == []


def test_a_key_that_stands_twice_is_refused_before_a_row_is_read(tenant: Tenant) -> None:
    slot = tenant.book(10)
    tenant.tables.load("ledger_v2", table(THEN, 4))
    tenant.deliver(slot)
    (rule,) = tenant.records(slot)["r1/refused"]["rules"]
    assert (rule["column"], rule["rule"], rule["rows"]) == ("booking, line", "unique", 4)
    assert (tenant.received(), tenant.archived()) == ([], [])


# Again, and anew


def test_resend_sends_the_same_bytes_again_once_for_each_message(corner: Tenant) -> None:
    slot = corner.load()
    corner.deliver(slot)
    (file,) = corner.received()
    before, archived = file.read_bytes(), corner.archived()
    file.unlink()
    for message_id, uploads in (("again", 1), ("again", 0), ("once more", 1)):
        ran = corner.deliver(slot, message_id=message_id, resend=True)
        assert (ran.error, len(ran.named("upload.completed"))) == (None, uploads)
    assert file.read_bytes() == before
    assert corner.archived() == archived
    assert {name for name in corner.records(slot) if "delivered" in name} == {f"r1/delivered-1-{n}" for n in (1, 2, 3)}


def test_revise_extracts_anew_under_another_name_once_for_each_message(corner: Tenant) -> None:
    slot = corner.load(count=20)
    corner.deliver(slot)
    (first,) = corner.received()
    before = first.read_bytes()
    corner.fill(THEN.start, {"payments": 20}, seed=1)
    for _ in range(2):
        assert corner.deliver(slot, message_id="anew", revise=True).error is None
    one, other = corner.received()
    assert (one, one.read_bytes()) == (first, before)
    assert ("_r1_" in one.name, "_r2_" in other.name) == (True, True)
    assert corner.identical(slot, other)
    assert len(read_csv(corner.open(other), corner.datasets["payments"])) > len(
        read_csv(corner.open(one), corner.datasets["payments"])
    )
    assert not corner.deliver(slot, message_id="as ever").named("upload.started")


def test_resend_of_an_hour_that_was_never_sent_delivers_it(tenant: Tenant) -> None:
    slot = tenant.load()
    assert tenant.deliver(slot, resend=True).error is None
    assert tenant.identical(slot, *tenant.received())


# Much


def test_parts_add_up_to_the_whole_and_each_is_under_the_limit(corner: Tenant) -> None:
    slot = corner.load(count=1000)
    corner.set(MAX_PART_ROWS="200")
    ran = corner.deliver(slot)
    assert (ran.error, corner.received()) == (None, [])
    parts = ran.named("fanout.completed")[0]["messages"]
    finished = corner.drain()
    assert len(finished) == parts > 4
    assert [one.error for one in finished] == [None] * parts
    assert [len(one.named("delivery.completed")) for one in finished] == [*[0] * (parts - 1), 1]
    files = corner.received()
    assert sorted(file.name for file in files) == sorted(
        f"payments_{THEN.start:%Y%m%dT%H%M%SZ}_{THEN.end:%Y%m%dT%H%M%SZ}_r1_{part}of{parts}.csv.pgp"
        for part in range(1, parts + 1)
    )
    assert corner.identical(slot, *files)
    plan = corner.records(slot)["r1/plan"]
    assert max(part["rows"] for part in plan["parts"]) <= 200
    assert sum(part["rows"] for part in plan["parts"]) == plan["rows"]
    again = corner.deliver(slot)
    assert not again.named("upload.started")
    assert [one.names for one in corner.drain()] == [["run.started", "delivery.unchanged", "run.completed"]] * parts


def test_a_part_that_does_not_exist_is_rejected(tenant: Tenant) -> None:
    slot = tenant.load(count=10)
    tenant.deliver(slot)
    ran = tenant.deliver(slot, revision=1, part=2)
    assert "there is no part 2" in ran.named("message.rejected")[0]["message"]
    ran = tenant.deliver(slot, revision=5)
    assert "There is no revision 5" in ran.named("message.rejected")[0]["message"]


def test_a_message_for_many_hours_becomes_a_message_for_each(tenant: Tenant) -> None:
    hours = [Window.hour(THEN.start - number * HOUR) for number in range(3)]
    for window in hours:
        tenant.load("payments", 10, window=window)
        tenant.fill(window.start, {"identity": 5})
    tenant.tables.complete(["payments", "identity"], THEN.end)
    bounds = {"start": rfc3339(hours[-1].start), "end": rfc3339(THEN.end)}
    ran = tenant.run({"window": bounds, "datasets": ["identity", "payments"]}, message_id="backfill")
    assert ran.named("fanout.completed")[0]["messages"] == 6
    assert (tenant.received(), tenant.archived()) == ([], [])
    assert [one.error for one in tenant.drain()] == [None] * 6
    assert len(tenant.received()) == 6
    for window in hours:
        for name in ("identity", "payments"):
            slot = Slot(name, window)
            (file,) = (
                path for path in tenant.received() if path.name.startswith(f"{name}_{window.start:%Y%m%dT%H%M%SZ}")
            )
            assert tenant.identical(slot, file)
            assert tenant.records(slot)["r1/plan"]["cause"] == "backfill"


# Broken off


def test_after_sealing_every_attempt_sends_the_same_bytes_without_asking_the_warehouse(tenant: Tenant) -> None:
    slot = tenant.load()
    tenant.break_partner(Fault("open", "drop", name=f"{tenant.name}/*", times=2))
    for _ in range(2):
        ran = tenant.deliver(slot, message_id="m")
        assert isinstance(ran.error, PartnerUnavailable)
    archived = tenant.archived()
    assert len(archived) == 2
    tenant.tables.sql(f"DROP TABLE {payments(tenant)}")
    assert tenant.deliver(slot, message_id="m").error is None
    assert tenant.archived() == archived
    assert tenant.received()[0].read_bytes() == content(tenant, archived[1])
    assert {name for name in tenant.records(slot) if "delivered" in name} == {"r1/delivered-1-1"}


def test_a_half_file_is_replaced_by_the_next_attempt(tenant: Tenant) -> None:
    slot = tenant.load(count=400)
    tenant.break_partner(Fault("write", "drop", after_bytes=20_000, name=f"{tenant.name}/*"))
    assert isinstance(tenant.deliver(slot, message_id="m").error, PartnerUnavailable)
    assert tenant.deliver(slot, message_id="m").error is None
    assert tenant.identical(slot, *tenant.received())


def test_an_invocation_stops_by_itself_when_its_time_is_over_and_the_next_one_delivers(tenant: Tenant) -> None:
    slot = tenant.load()
    tenant.set(TIME_BUDGET_SECONDS="10")
    tenant.break_storage("/o.*upload_id", "hang", times=100)
    ran = tenant.deliver(slot, message_id="m")
    assert ran.error is not None
    assert isinstance(ran.error, OutOfTime) or ran.error.code == "archive-unavailable"
    assert 9 < ran.named("seal.failed")[0]["seconds"] < 20
    assert set(tenant.records(slot)) == {"r1/plan"}
    tenant.mend()
    assert (tenant.archived(), tenant.received()) == ([], [])
    assert tenant.deliver(slot, message_id="m").error is None
    assert tenant.identical(slot, *tenant.received())


def test_a_plan_that_was_never_sealed_and_can_no_longer_be_read_is_made_anew(tenant: Tenant) -> None:
    slot = tenant.load()
    tenant.set(PARTNER_KEY_SECRET="no-such-key", TIME_TRAVEL_HOURS="1")
    assert tenant.deliver(slot, message_id="m").error is not None
    path = f"deliveries/{slot.folder}/r1/plan.json"
    assert rewritten(tenant, path, snapshot=rfc3339(THEN.end - timedelta(hours=3)))
    tenant.set(PARTNER_KEY_SECRET="pgp-partner-key")
    assert tenant.deliver(slot, message_id="m").error is None
    assert ["_r2_" in path.name for path in tenant.received()] == [True]


def rewritten(tenant: Tenant, path: str, **fields: object) -> bool:
    """Write a record anew with other fields and the digest that belongs to them."""
    blob = tenant.storage.bucket(f"{tenant.name}-records").blob(path)
    record = {**json.loads(blob.download_as_bytes())["record"], **fields}
    digest = hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    blob.upload_from_string(json.dumps({"record": record, "sha256": digest}))
    return True


# Altered


def test_an_archived_file_that_was_altered_is_never_sent(tenant: Tenant) -> None:
    slot = tenant.load()
    tenant.break_partner(Fault("open", "drop", name=f"{tenant.name}/*"))
    tenant.deliver(slot, message_id="m")
    blob = tenant.storage.bucket(f"{tenant.name}-archive").blob(tenant.archived()[1])
    blob.upload_from_string(blob.download_as_bytes()[:-1] + b"x")
    ran = tenant.deliver(slot, message_id="m")
    assert ran.error is None
    assert len(ran.named("archive.damaged", "message.rejected")) == 2
    assert [json.loads(one)["code"] for one in tenant.rejected()] == ["archive-damaged"]
    assert tenant.received() == []
    assert tenant.deliver(slot, revise=True).error is None
    assert tenant.identical(slot, *tenant.received())


def test_a_record_that_was_altered_stops_the_delivery_and_revise_is_the_way_out(tenant: Tenant) -> None:
    slot = tenant.load()
    tenant.deliver(slot)
    blob = tenant.storage.bucket(f"{tenant.name}-records").blob(f"deliveries/{slot.folder}/r1/plan.json")
    blob.upload_from_string(blob.download_as_bytes().replace(b'"rows": ', b'"rows": 1'))
    ran = tenant.deliver(slot)
    assert len(ran.named("archive.damaged", "message.rejected")) == 2
    assert [json.loads(one)["code"] for one in tenant.rejected()] == ["record-damaged"]
    assert tenant.deliver(slot, revise=True).error is None
    assert len(tenant.received()) == 2
