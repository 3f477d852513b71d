"""Records, archived objects, the partner's files, deleted or altered: found by certify, mended where that is safe."""

import json
import urllib.request
from pathlib import Path

from tests.operation.office import Office, copy_of


def _overwrite(office: Office, bucket: str, name: str, content: bytes) -> None:
    office.world.storage.bucket(bucket).blob(name).upload_from_string(content)


def _delete(office: Office, bucket: str, names: list[str]) -> None:
    for name in names:
        office.world.storage.bucket(bucket).blob(name).delete()


def test_a_lost_delivered_record_is_a_hole_and_is_filled_with_the_same_bytes(office: Office, tmp_path: Path) -> None:
    hour = office.delivered()
    before = copy_of(office.file(hour), tmp_path)
    _delete(office, "records", office.records(hour, "r1/delivered"))
    found = office.certify(hour)
    assert (found["verdict"], found["republished"]) == ("missing", True)
    assert office.becomes(hour, "certified")["revision"] == 1
    assert office.file(hour).read_bytes() == before.read_bytes()


def test_a_slot_that_lost_every_record_is_delivered_anew(office: Office) -> None:
    hour = office.delivered()
    _delete(office, "records", office.records(hour))
    found = office.certify(hour)
    assert (found["verdict"], found["republished"]) == ("missing", True)
    assert office.becomes(hour, "certified")["revision"] == 1


def test_a_lost_certificate_is_written_again(office: Office) -> None:
    hour = office.delivered()
    _delete(office, "records", office.records(hour, "r1/certificate"))
    assert office.verdict(hour) == "certified"
    assert len(office.records(hour, "r1/certificate")) == 1


def test_a_lost_plan_or_sealed_record_is_a_mismatch_that_a_human_must_see(office: Office) -> None:
    for name, told in (("r1/plan", "the plan is gone"), ("r1/sealed-1", "delivered and has no sealed record")):
        hour = office.delivered()
        _delete(office, "records", office.records(hour, name))
        found = office.certify(hour)
        assert (found["verdict"], found["republished"]) == ("archive mismatch", False)
        assert told in found["problems"][0]


def test_an_altered_plan_is_a_mismatch_and_revise_is_the_way_out(office: Office) -> None:
    hour = office.delivered()
    (name,) = office.records(hour, "r1/plan")
    content = office.world.storage.bucket("records").blob(name).download_as_bytes()
    _overwrite(office, "records", name, content.replace(b'"rows": 20', b'"rows": 19'))
    found = office.certify(hour)
    assert (found["verdict"], found["republished"]) == ("archive mismatch", False)
    assert "its own checksum differs" in found["problems"][0]
    assert office.full(hour)["state"] == "archive mismatch"
    office.told("republish", "--start", hour, "--dataset", "payments", "--revise", "--yes")
    assert office.becomes(hour, "certified")["revision"] == 2


def test_a_record_that_contradicts_the_others_is_a_mismatch_even_with_a_checksum_of_its_own(office: Office) -> None:
    hour, other = office.delivered(20), office.delivered(21)
    (name,), (foreign,) = office.records(hour, "r1/sealed-1"), office.records(other, "r1/sealed-1")
    _overwrite(office, "records", name, office.world.storage.bucket("records").blob(foreign).download_as_bytes())
    found = office.certify(hour)
    assert found["verdict"] == "archive mismatch"
    assert "part 1 was sealed with 21 rows, planned with 20" in found["problems"]


def test_archived_objects_deleted_or_overwritten_are_a_mismatch(office: Office) -> None:
    for suffix in (".csv", ".pgp"):
        hour = office.delivered()
        name = office.archived(hour, suffix)
        content = office.world.storage.bucket("archive").blob(name).download_as_bytes()
        _overwrite(office, "archive", name, content)
        assert office.certify(hour)["problems"] == [f"{name} is another object"]
        _delete(office, "archive", [name])
        found = office.certify(hour)
        assert (found["verdict"], found["republished"]) == ("archive mismatch", False)
        assert found["problems"] == [f"{name} is gone"]


def test_one_bit_that_turned_in_an_archived_object_is_found_by_reading_all_of_it(office: Office) -> None:
    hour = office.delivered()
    name = office.archived(hour, ".csv")
    faults = f"{office.world.services['storage'].ready['url']}/_faults"
    fault = {"match": r"GET .*\.csv\?.*alt=media", "action": "flip", "times": 1}
    urllib.request.urlopen(urllib.request.Request(faults, json.dumps(fault).encode(), method="POST")).close()
    try:
        assert office.verdict(hour) == "certified"  # what the server says of the object has not changed
        found = office.certify(hour, "--full")
    finally:
        urllib.request.urlopen(urllib.request.Request(faults, method="DELETE")).close()
    assert found["verdict"] == "archive mismatch"
    assert found["problems"] == [f"{name} reads with another SHA-256"]
    assert office.certify(hour, "--full")["verdict"] == "certified"


def test_a_file_that_was_cut_short_at_the_partner_is_sent_again_with_the_same_bytes(
    office: Office, tmp_path: Path
) -> None:
    hour = office.delivered()
    before = copy_of(office.file(hour), tmp_path)
    office.file(hour).write_bytes(before.read_bytes()[:-10])
    found = office.certify(hour)
    assert (found["verdict"], found["republished"]) == ("partner mismatch", True)
    office.becomes(hour, "certified")
    assert office.file(hour).read_bytes() == before.read_bytes()


def test_a_file_that_vanished_is_unconfirmed_unless_the_partner_takes_files_away(office: Office) -> None:
    hour = office.delivered()
    office.file(hour).unlink()
    assert office.verdict(hour, SFTP_COLLECTS="true") == "certified"
    found = office.certify(hour)
    assert (found["verdict"], found["republished"]) == ("unconfirmed", False)
    assert "nothing proves that payments_" in found["problems"][0]
