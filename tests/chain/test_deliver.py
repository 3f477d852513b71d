"""A delivery from end to end, and what a message may find: done before, nothing there, too much, too late."""

import hashlib
import json
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from localcloud import sampledata
from localcloud.opened import read_csv
from localcloud.partner.faults import Fault
from pipeline.errors import OutOfTime, PartnerUnavailable, SourceNotReady
from pipeline.window import HOUR, Slot, Window, rfc3339
from tests.deployment import HOUR as THEN
from tests.deployment import InProcessDeployment
from tests.sample_contract import CONTRACT, rows_in_file, table


def content(any_deployment: InProcessDeployment, name: str) -> bytes:
    """An archived object."""
    return bytes(any_deployment.cloud.storage.bucket(f"{any_deployment.name}-archive").blob(name).download_as_bytes())


def test_the_rows_of_the_hour_lie_at_the_partner_and_in_the_archive_and_the_records_say_so(
    any_deployment: InProcessDeployment,
) -> None:
    slot = any_deployment.load(count=200)
    ran = any_deployment.deliver(slot, message_id="the message")
    assert ran.error is None
    (file,) = any_deployment.received()
    assert any_deployment.identical(slot, file)
    plain, sealed = any_deployment.archived()
    assert content(any_deployment, sealed) == file.read_bytes()
    assert content(any_deployment, plain) == any_deployment.open(file)
    records = any_deployment.records(slot)
    assert {name for name in records if "sending" not in name} == {"r1/plan", "r1/sealed-1", "r1/delivered-1-1"}
    plan, proof, arrival = (records[f"r1/{name}"] for name in ("plan", "sealed-1", "delivered-1-1"))
    assert (
        plan["rows"]
        == proof["rows"]
        == plan["parts"][0]["keys"]
        == len(read_csv(any_deployment.open(file), any_deployment.datasets["payments"]))
    )
    assert (
        proof["csv"]["sha256"]
        == proof["opened"]["sha256"]
        == hashlib.sha256(content(any_deployment, plain)).hexdigest()
    )
    assert proof["sealed"]["sha256"] == arrival["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (proof["signer"], proof["recipient"]) == (
        any_deployment.cloud.signing_key.fingerprint,
        any_deployment.cloud.partner_key.fingerprint,
    )
    assert (arrival["confirmation"], arrival["file_name"], plan["cause"]) == ("size", file.name, "the message")
    assert proof["keys"] == {"pgp-partner-key": "1", "pgp-signing-key": "1"}


def test_rows_of_customers_outside_the_program_and_of_other_hours_never_leave(
    any_deployment: InProcessDeployment,
) -> None:
    slot = any_deployment.load(count=60)
    for start in (THEN.start - HOUR, THEN.end):
        any_deployment.tables.load(
            "payments", sampledata.rows(any_deployment.datasets["payments"], Window.hour(start), 20)
        )
    assert any_deployment.deliver(slot).error is None
    everything = any_deployment.tables.sql(f"SELECT COUNT(*) AS n FROM `{any_deployment.tables.name}.payments`")[0]["n"]
    sent = read_csv(any_deployment.open(any_deployment.received()[0]), any_deployment.datasets["payments"])
    assert 0 < len(sent) < 60
    assert everything == 100
    assert any_deployment.identical(slot, *any_deployment.received())


def test_a_contract_of_other_names_and_types_delivers_every_value(any_deployment: InProcessDeployment) -> None:
    slot = any_deployment.load_sample(50, internal=6)
    assert any_deployment.deliver(slot).error is None
    (file,) = any_deployment.received()
    assert file.name == f"BK-bookings.{THEN.start:%Y%m%dT%H%M%SZ}.r1.p1-1.txt.pgp"
    sent = read_csv(any_deployment.open(file), any_deployment.datasets["bookings"])
    assert sorted(sent, key=str) == sorted(rows_in_file(table(THEN, 50, internal=6)), key=str)


def test_a_message_that_comes_twice_does_nothing_the_second_time(any_deployment: InProcessDeployment) -> None:
    slot = any_deployment.load()
    any_deployment.deliver(slot, message_id="m")
    before = (any_deployment.archived(), any_deployment.records(slot), any_deployment.received()[0].stat().st_mtime_ns)
    asked = len(any_deployment.requests_to_partner())
    for message_id in ("m", "another"):
        ran = any_deployment.deliver(slot, message_id=message_id)
        assert ran.names == ["run.started", "delivery.unchanged", "run.completed"]
    assert (
        any_deployment.archived(),
        any_deployment.records(slot),
        any_deployment.received()[0].stat().st_mtime_ns,
    ) == before
    assert len(any_deployment.requests_to_partner()) == asked


def test_settings_of_the_partner_are_followed(deployment: InProcessDeployment) -> None:
    slot = deployment.load(count=100)
    deployment.set(PGP_SIGN="false", PGP_COMPRESSION="zlib:6")
    assert deployment.deliver(slot).error is None
    proof = deployment.records(slot)["r1/sealed-1"]
    assert (proof["signer"], proof["opened"]["signer"]) == (None, None)
    assert proof["sealed"]["size"] < proof["csv"]["size"] / 2
    with pytest.raises(ValueError, match="DECRYPTION_OKAY"):  # it opens, without a signature
        deployment.open(deployment.received()[0])


# Nothing there


def test_an_empty_hour_is_recorded_and_nothing_is_sent(deployment: InProcessDeployment) -> None:
    slot = deployment.load(count=0)
    for _ in range(2):
        ran = deployment.deliver(slot)
        assert (ran.error, len(ran.named("delivery.empty"))) == (None, 1)
    assert (deployment.received(), deployment.archived()) == ([], [])
    records = deployment.records(slot)
    assert list(records) == ["r1/plan"]
    assert (records["r1/plan"]["rows"], records["r1/plan"]["parts"]) == (0, [])


def test_an_empty_hour_may_be_a_file_with_the_header_alone(any_deployment: InProcessDeployment) -> None:
    slot = any_deployment.load_sample(0)
    ran = any_deployment.deliver(slot)
    assert (ran.error, ran.named("delivery.empty")) == (None, [])
    (file,) = any_deployment.received()
    assert any_deployment.open(file) == b"booking,line,text,amount,rate,booked,cleared,details,touched\r\n"
    assert any_deployment.records(slot)["r1/delivered-1-1"]["size"] == file.stat().st_size


def test_an_hour_whose_rows_are_all_outside_the_program_is_an_empty_one(deployment: InProcessDeployment) -> None:
    slot = deployment.load_sample(10, internal=10, contract=CONTRACT.replace("value: file}", "value: record}"))
    assert deployment.deliver(slot).named("delivery.empty")
    assert deployment.received() == []


# Not there yet


def test_an_hour_that_is_not_complete_is_tried_again_and_then_delivered(deployment: InProcessDeployment) -> None:
    slot = deployment.load(count=20)
    later = Slot("payments", Window.hour(THEN.end))
    deployment.tables.load("payments", sampledata.rows(deployment.datasets["payments"], later.window, 20))
    ran = deployment.deliver(later, message_id="m")
    assert isinstance(ran.error, SourceNotReady)
    assert f"it is complete until {rfc3339(THEN.end)}" in str(ran.error)
    assert ran.error.retryable
    assert len(ran.named("source.late")) == 1
    (failed,) = deployment.records(later).values()
    assert failed["code"] == "source-not-ready"
    assert (deployment.received(), deployment.rejected()) == ([], [])
    deployment.tables.complete(["payments"], later.window.end)
    assert deployment.deliver(later, message_id="m").error is None
    assert deployment.identical(later, *deployment.received())
    assert deployment.deliver(slot).error is None


def test_a_dataset_that_was_never_complete_is_not_ready(deployment: InProcessDeployment) -> None:
    deployment.tables.create(deployment.datasets.values())
    ran = deployment.deliver(Slot("payments", THEN))
    assert isinstance(ran.error, SourceNotReady)
    assert "it is not complete for any time" in str(ran.error)


# Rows that break the contract


def broken(deployment: InProcessDeployment) -> Slot:
    """An hour with three payments that break two rules."""
    slot = deployment.load(count=100)
    ids = [
        row["payment_id"]
        for row in deployment.tables.sql(f"SELECT payment_id FROM {payments(deployment)} WHERE in_program")
    ]
    for number, payment in enumerate(sorted(ids)[:3]):
        change = "currency = 'marked-euro'" if number else "status = 'marked-lost'"
        deployment.tables.sql(f"UPDATE {payments(deployment)} SET {change} WHERE payment_id = '{payment}'")
    return slot


def payments(deployment: InProcessDeployment) -> str:
    """The table."""
    return f"`{deployment.tables.name}.payments`"


def test_rows_that_break_the_contract_are_refused_counted_and_reported_by_hashed_key(
    deployment: InProcessDeployment,
) -> None:
    slot = broken(deployment)
    ran = deployment.deliver(slot, message_id="m")
    assert ran.error is None
    assert len(ran.named("rows.refused", "message.rejected")) == 2
    assert (deployment.received(), deployment.archived()) == ([], [])
    records = deployment.records(slot)
    assert set(records) == {"r1/plan", "r1/refused"}
    found = {rule["column"]: (rule["rule"], rule["rows"], len(rule["keys"])) for rule in records["r1/refused"]["rules"]}
    assert found == {"currency": ("pattern", 2, 2), "status": ("enum", 1, 1)}
    (rejected,) = map(json.loads, deployment.rejected())
    assert (rejected["code"], rejected["message_id"]) == ("rows-refused", "m")
    assert "currency: 2 rows break ^[A-Z]{3}$; status: 1 row is none of" in rejected["reason"]
    everything = json.dumps([records, rejected, ran.events])
    assert "marked" not in everything


def test_the_next_message_after_the_rows_were_mended_plans_the_next_revision(deployment: InProcessDeployment) -> None:
    slot = broken(deployment)
    deployment.deliver(slot, message_id="m")
    deployment.tables.sql(f"UPDATE {payments(deployment)} SET currency = 'EUR', status = 'pending' WHERE TRUE")
    assert [event["code"] for event in deployment.deliver(slot, message_id="m").named("message.rejected")] == [
        "rows-refused"
    ]
    assert deployment.received() == []
    assert deployment.deliver(slot, message_id="next").error is None
    (file,) = deployment.received()
    assert "_r2_" in file.name
    assert deployment.identical(slot, file)
    assert {"r1/plan", "r1/refused", "r2/plan", "r2/sealed-1", "r2/delivered-1-1"} <= set(deployment.records(slot))


def test_rows_that_are_still_broken_are_refused_again(deployment: InProcessDeployment) -> None:
    slot = broken(deployment)
    for message_id in ("one", "two"):
        deployment.deliver(slot, message_id=message_id)
    assert {name for name in deployment.records(slot) if "refused" in name} == {"r1/refused", "r2/refused"}
    assert deployment.received() == []


def test_a_key_that_stands_twice_is_refused_before_a_row_is_read(deployment: InProcessDeployment) -> None:
    slot = deployment.load_sample(10)
    deployment.tables.load("ledger_v2", table(THEN, 4))
    deployment.deliver(slot)
    (rule,) = deployment.records(slot)["r1/refused"]["rules"]
    assert (rule["column"], rule["rule"], rule["rows"]) == ("booking, line", "unique", 4)
    assert (deployment.received(), deployment.archived()) == ([], [])


# Again, and anew


def test_resend_sends_the_same_bytes_again_once_for_each_message(any_deployment: InProcessDeployment) -> None:
    slot = any_deployment.load()
    any_deployment.deliver(slot)
    (file,) = any_deployment.received()
    before, archived = file.read_bytes(), any_deployment.archived()
    file.unlink()
    for message_id, uploads in (("again", 1), ("again", 0), ("once more", 1)):
        ran = any_deployment.deliver(slot, message_id=message_id, resend=True)
        assert (ran.error, len(ran.named("upload.completed"))) == (None, uploads)
    assert file.read_bytes() == before
    assert any_deployment.archived() == archived
    assert {name for name in any_deployment.records(slot) if "delivered" in name} == {
        f"r1/delivered-1-{n}" for n in (1, 2, 3)
    }


def test_revise_extracts_anew_under_another_name_once_for_each_message(any_deployment: InProcessDeployment) -> None:
    slot = any_deployment.load(count=20)
    any_deployment.deliver(slot)
    (first,) = any_deployment.received()
    before = first.read_bytes()
    any_deployment.fill(THEN.start, {"payments": 20}, seed=1)
    for _ in range(2):
        assert any_deployment.deliver(slot, message_id="anew", revise=True).error is None
    one, other = any_deployment.received()
    assert (one, one.read_bytes()) == (first, before)
    assert ("_r1_" in one.name, "_r2_" in other.name) == (True, True)
    assert any_deployment.identical(slot, other)
    assert len(read_csv(any_deployment.open(other), any_deployment.datasets["payments"])) > len(
        read_csv(any_deployment.open(one), any_deployment.datasets["payments"])
    )
    assert not any_deployment.deliver(slot, message_id="as ever").named("upload.started")


def test_resend_of_an_hour_that_was_never_sent_delivers_it(deployment: InProcessDeployment) -> None:
    slot = deployment.load()
    assert deployment.deliver(slot, resend=True).error is None
    assert deployment.identical(slot, *deployment.received())


# Much


def test_parts_add_up_to_the_whole_and_each_is_under_the_limit(any_deployment: InProcessDeployment) -> None:
    slot = any_deployment.load(count=1000)
    any_deployment.set(MAX_PART_ROWS="200")
    ran = any_deployment.deliver(slot)
    assert (ran.error, any_deployment.received()) == (None, [])
    parts = ran.named("fanout.completed")[0]["messages"]
    finished = any_deployment.drain()
    assert len(finished) == 2 * parts > 8
    assert [one.error for one in finished] == [None] * 2 * parts
    assert [len(one.named("delivery.completed")) for one in finished] == [*[0] * (2 * parts - 1), 1]
    files = any_deployment.received()
    assert sorted(file.name for file in files) == sorted(
        f"payments_{THEN.start:%Y%m%dT%H%M%SZ}_{THEN.end:%Y%m%dT%H%M%SZ}_r1_{part}of{parts}.csv.pgp"
        for part in range(1, parts + 1)
    )
    assert any_deployment.identical(slot, *files)
    plan = any_deployment.records(slot)["r1/plan"]
    assert max(part["rows"] for part in plan["parts"]) <= 200
    assert sum(part["rows"] for part in plan["parts"]) == plan["rows"]
    again = any_deployment.deliver(slot)
    assert not again.named("upload.started")
    assert [one.names for one in any_deployment.drain()] == [
        ["run.started", "delivery.unchanged", "run.completed"]
    ] * parts


def test_a_part_that_does_not_exist_is_rejected(deployment: InProcessDeployment) -> None:
    slot = deployment.load(count=10)
    deployment.deliver(slot)
    ran = deployment.deliver(slot, revision=1, part=2)
    assert "there is no part 2" in ran.named("message.rejected")[0]["message"]
    ran = deployment.deliver(slot, revision=5)
    assert "There is no revision 5" in ran.named("message.rejected")[0]["message"]


def test_a_message_for_many_hours_becomes_a_message_for_each(deployment: InProcessDeployment) -> None:
    hours = [Window.hour(THEN.start - number * HOUR) for number in range(3)]
    for window in hours:
        deployment.load("payments", 10, window=window)
        deployment.fill(window.start, {"identity": 5})
    deployment.tables.complete(["payments", "identity"], THEN.end)
    bounds = {"start": rfc3339(hours[-1].start), "end": rfc3339(THEN.end)}
    ran = deployment.run({"window": bounds, "datasets": ["identity", "payments"]}, message_id="backfill")
    assert ran.named("fanout.completed")[0]["messages"] == 6
    assert (deployment.received(), deployment.archived()) == ([], [])
    assert [one.error for one in deployment.drain()] == [None] * 6
    assert len(deployment.received()) == 6
    for window in hours:
        for name in ("identity", "payments"):
            slot = Slot(name, window)
            (file,) = (
                path for path in deployment.received() if path.name.startswith(f"{name}_{window.start:%Y%m%dT%H%M%SZ}")
            )
            assert deployment.identical(slot, file)
            assert deployment.records(slot)["r1/plan"]["cause"] == "backfill"


# Broken off


def test_after_sealing_every_attempt_sends_the_same_bytes_without_asking_the_warehouse(
    deployment: InProcessDeployment,
) -> None:
    slot = deployment.load()
    deployment.cloud.break_partner(Fault("open", "drop", name=f"{deployment.name}/*", times=2))
    for _ in range(2):
        ran = deployment.deliver(slot, message_id="m")
        assert isinstance(ran.error, PartnerUnavailable)
    archived = deployment.archived()
    assert len(archived) == 2
    deployment.tables.sql(f"DROP TABLE {payments(deployment)}")
    assert deployment.deliver(slot, message_id="m").error is None
    assert deployment.archived() == archived
    assert deployment.received()[0].read_bytes() == content(deployment, archived[1])
    assert {name for name in deployment.records(slot) if "delivered" in name} == {"r1/delivered-1-1"}


def test_a_half_file_is_replaced_by_the_next_attempt(deployment: InProcessDeployment) -> None:
    slot = deployment.load(count=400)
    deployment.cloud.break_partner(Fault("write", "drop", after_bytes=20_000, name=f"{deployment.name}/*"))
    assert isinstance(deployment.deliver(slot, message_id="m").error, PartnerUnavailable)
    assert deployment.deliver(slot, message_id="m").error is None
    assert deployment.identical(slot, *deployment.received())


def test_an_invocation_stops_by_itself_when_its_time_is_over_and_the_next_one_delivers(
    deployment: InProcessDeployment,
) -> None:
    slot = deployment.load()
    deployment.set(TIME_BUDGET_SECONDS="10")
    deployment.break_storage("-archive/o", "hang", times=100)
    ran = deployment.deliver(slot, message_id="m")
    assert ran.error is not None
    assert isinstance(ran.error, OutOfTime) or ran.error.code == "archive-unavailable"
    assert 9 < ran.named("seal.failed")[0]["seconds"] < 20
    assert {name for name in deployment.records(slot) if "failed" not in name} == {"r1/plan"}
    deployment.cloud.end_faults()
    assert (deployment.archived(), deployment.received()) == ([], [])
    assert deployment.deliver(slot, message_id="m").error is None
    assert deployment.identical(slot, *deployment.received())


def test_a_plan_that_was_never_sealed_and_can_no_longer_be_read_is_made_anew(deployment: InProcessDeployment) -> None:
    slot = deployment.load()
    deployment.set(PARTNER_KEY_SECRET="no-such-key", TIME_TRAVEL_HOURS="1")
    assert deployment.deliver(slot, message_id="m").error is not None
    path = f"deliveries/{slot.folder}/r1/plan.json"
    assert rewritten(deployment, path, snapshot=rfc3339(THEN.end - timedelta(hours=3)))
    deployment.set(PARTNER_KEY_SECRET="pgp-partner-key")
    assert deployment.deliver(slot, message_id="m").error is None
    assert ["_r2_" in path.name for path in deployment.received()] == [True]


def rewritten(deployment: InProcessDeployment, path: str, **fields: object) -> bool:
    """Write a record anew with other fields and the digest that belongs to them."""
    blob = deployment.cloud.storage.bucket(f"{deployment.name}-records").blob(path)
    record = {**json.loads(blob.download_as_bytes())["record"], **fields}
    digest = hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    blob.upload_from_string(json.dumps({"record": record, "sha256": digest}))
    return True


# Altered


def test_an_archived_file_that_was_altered_is_never_sent(deployment: InProcessDeployment) -> None:
    slot = deployment.load()
    deployment.cloud.break_partner(Fault("open", "drop", name=f"{deployment.name}/*"))
    deployment.deliver(slot, message_id="m")
    blob = deployment.cloud.storage.bucket(f"{deployment.name}-archive").blob(deployment.archived()[1])
    blob.upload_from_string(blob.download_as_bytes()[:-1] + b"x")
    ran = deployment.deliver(slot, message_id="m")
    assert ran.error is None
    assert len(ran.named("archive.damaged", "message.rejected")) == 2
    assert [json.loads(one)["code"] for one in deployment.rejected()] == ["archive-damaged"]
    assert deployment.received() == []
    assert deployment.deliver(slot, revise=True).error is None
    assert deployment.identical(slot, *deployment.received())


def test_a_record_that_was_altered_stops_the_delivery_and_revise_is_the_way_out(
    deployment: InProcessDeployment,
) -> None:
    slot = deployment.load()
    deployment.deliver(slot)
    blob = deployment.cloud.storage.bucket(f"{deployment.name}-records").blob(f"deliveries/{slot.folder}/r1/plan.json")
    blob.upload_from_string(blob.download_as_bytes().replace(b'"rows": ', b'"rows": 1'))
    ran = deployment.deliver(slot)
    assert len(ran.named("archive.damaged", "message.rejected")) == 2
    assert [json.loads(one)["code"] for one in deployment.rejected()] == ["record-damaged"]
    assert deployment.deliver(slot, revise=True).error is None
    assert len(deployment.received()) == 2


def test_a_control_total_beyond_64_bits_is_counted_and_recomputed_exactly(deployment: InProcessDeployment) -> None:
    """A sum of INT64 overflows in the warehouse, and wrapped around silently where it was recomputed."""
    contract = CONTRACT.replace('"min(line)"', '"sum(line)"')
    slot = deployment.load_sample(0, contract=contract)
    deployment.tables.load("ledger_v2", table(slot.window, 4).with_columns(pl.col("line") + 2**62))
    assert deployment.deliver(slot).error is None
    plan = deployment.within().records.folder(slot).latest.plan()
    assert plan is not None
    assert plan.parts[0].totals["sum(line)"] == str(4 * 2**62 + 6)


def test_a_control_total_that_bigquery_cannot_sum_is_refused_in_words(deployment: InProcessDeployment) -> None:
    slot = deployment.load_sample(0)
    most = pl.lit(Decimal(10**29 - 1)).cast(pl.Decimal(38, 9))
    deployment.tables.load("ledger_v2", table(slot.window, 4).with_columns(amount=most))
    error = deployment.deliver(slot).error
    assert error is not None
    assert "A control total of" in error.message
    assert "Take it out of the contract's controlTotals" in error.message
