"""Records, archived objects, the partner's files, deleted or altered: found by certify, repaired where that is safe."""

from pathlib import Path

from pipeline.status.next_step import told
from tests.operation.operator import Operator, copy_of


def _overwrite(operator: Operator, bucket: str, name: str, content: bytes) -> None:
    operator.deployment.cloud.storage.bucket(bucket).blob(name).upload_from_string(content)


def _delete(operator: Operator, bucket: str, names: list[str]) -> None:
    for name in names:
        operator.deployment.cloud.storage.bucket(bucket).blob(name).delete()


def test_a_lost_delivered_record_is_a_hole_and_is_filled_with_the_same_bytes(
    operator: Operator, tmp_path: Path
) -> None:
    hour = operator.delivered()
    before = copy_of(operator.file(hour), tmp_path)
    _delete(operator, "records", operator.records(hour, "r1/delivered"))
    found = operator.certify(hour)
    assert (found["verdict"], found["republished"]) == ("missing", True)
    operator.becomes(hour, "unsettled")  # the attempt whose record is lost may have broken off
    operator.deployment.cloud.age(f"records/{operator.records(hour, 'r1/sending')[0].rpartition('-')[0]}", 2.1 * 3600)
    assert operator.becomes(hour, "certified")["revision"] == 1
    assert operator.file(hour).read_bytes() == before.read_bytes()


def test_a_slot_that_lost_every_record_is_delivered_anew(operator: Operator) -> None:
    hour = operator.delivered()
    _delete(operator, "records", operator.records(hour))
    found = operator.certify(hour)
    assert (found["verdict"], found["republished"]) == ("missing", True)
    assert operator.becomes(hour, "certified")["revision"] == 1


def test_a_lost_certificate_is_written_again(operator: Operator) -> None:
    hour = operator.delivered()
    _delete(operator, "records", operator.records(hour, "r1/certificate"))
    assert operator.verdict(hour) == "certified"
    assert len(operator.records(hour, "r1/certificate")) == 1


def test_a_lost_plan_or_sealed_record_is_a_mismatch_that_a_human_must_see(operator: Operator) -> None:
    for name, answer in (("r1/plan", "the plan is gone"), ("r1/sealed-1", "delivered and has no sealed record")):
        hour = operator.delivered()
        _delete(operator, "records", operator.records(hour, name))
        found = operator.certify(hour)
        assert (found["verdict"], found["republished"]) == ("archive mismatch", False)
        assert answer in found["problems"][0]


def test_an_altered_plan_is_a_mismatch_and_revise_is_the_way_out(operator: Operator) -> None:
    hour = operator.delivered()
    (name,) = operator.records(hour, "r1/plan")
    content = operator.deployment.cloud.storage.bucket("records").blob(name).download_as_bytes()
    _overwrite(operator, "records", name, content.replace(b'"rows": 20', b'"rows": 19'))
    found = operator.certify(hour)
    assert (found["verdict"], found["republished"]) == ("archive mismatch", False)
    assert "its own checksum differs" in found["problems"][0]
    assert operator.full(hour)["state"] == "archive mismatch"
    operator.answer("republish", "--start", hour, "--dataset", "payments", "--revise", "--yes")
    assert operator.becomes(hour, "certified")["revision"] == 2


def test_a_record_that_contradicts_the_others_is_a_mismatch_even_with_a_checksum_of_its_own(operator: Operator) -> None:
    hour, other = operator.delivered(20), operator.delivered(21)
    (name,), (foreign,) = operator.records(hour, "r1/sealed-1"), operator.records(other, "r1/sealed-1")
    _overwrite(
        operator, "records", name, operator.deployment.cloud.storage.bucket("records").blob(foreign).download_as_bytes()
    )
    found = operator.certify(hour)
    assert found["verdict"] == "archive mismatch"
    assert "part 1 was sealed with 21 rows, planned with 20" in found["problems"]


def test_archived_objects_deleted_or_overwritten_are_a_mismatch(operator: Operator) -> None:
    for suffix in (".csv", ".pgp"):
        hour = operator.delivered()
        name = operator.archived(hour, suffix)
        content = operator.deployment.cloud.storage.bucket("archive").blob(name).download_as_bytes()
        _overwrite(operator, "archive", name, content)
        assert told(operator.certify(hour)["problems"]) == (f"{name} is another object",)
        _delete(operator, "archive", [name])
        found = operator.certify(hour)
        assert (found["verdict"], found["republished"]) == ("archive mismatch", False)
        assert told(found["problems"]) == (f"{name} is gone",)


def test_one_bit_that_turned_in_an_archived_object_is_found_by_reading_all_of_it(operator: Operator) -> None:
    hour = operator.delivered()
    name = operator.archived(hour, ".csv")
    operator.deployment.cloud.break_storage(r"GET .*\.csv\?.*alt=media", "flip", times=1)
    try:
        assert operator.verdict(hour) == "certified"  # what the server says of the object has not changed
        found = operator.certify(hour, "--full")
    finally:
        operator.deployment.cloud.end_faults()
    assert found["verdict"] == "archive mismatch"
    assert told(found["problems"]) == (f"{name} reads with another SHA-256",)
    assert operator.certify(hour, "--full")["verdict"] == "certified"


def test_a_file_that_was_cut_short_at_the_partner_is_sent_again_with_the_same_bytes(
    operator: Operator, tmp_path: Path
) -> None:
    hour = operator.delivered()
    before = copy_of(operator.file(hour), tmp_path)
    operator.file(hour).write_bytes(before.read_bytes()[:-10])
    found = operator.certify(hour)
    assert (found["verdict"], found["republished"]) == ("partner mismatch", True)
    operator.becomes(hour, "certified")
    assert operator.file(hour).read_bytes() == before.read_bytes()


def test_a_file_that_vanished_is_sent_again_unless_the_partner_takes_files_away(operator: Operator) -> None:
    hour = operator.delivered()
    operator.file(hour).unlink()
    assert operator.verdict(hour, SFTP_COLLECTS="true") == "certified"
    found = operator.certify(hour)
    assert (found["verdict"], found["republished"]) == ("vanished", True)
    assert operator.becomes(hour, "certified")["revision"] == 1
