"""Rows that are inserted, changed or deleted in hours that were delivered: found by certify, mended by the function."""

from tests.operation.office import Office


def test_rows_inserted_behind_our_back_are_found_and_sent_as_a_new_revision(office: Office) -> None:
    hour = office.delivered(20)
    office.sql(
        "INSERT INTO {table} SELECT * REPLACE (CONCAT('late-', payment_id) AS payment_id) "
        "FROM {table} WHERE {hour} ORDER BY payment_id LIMIT 3",
        hour,
    )
    found = office.certify(hour)
    assert (found["verdict"], found["republished"]) == ("late rows", True)
    assert found["change"] == {"added": 3, "altered": 0, "moved": 0, "deleted": 0}
    mended = office.becomes(hour, "certified")
    assert (mended["revision"], mended["rows_planned"], mended["rows_now"]) == (2, 23, 23)
    assert office.file(hour, 1) != office.file(hour, 2)


def test_values_altered_in_place_are_found_and_sent_as_a_new_revision(office: Office) -> None:
    hour = office.delivered(20)
    office.sql("UPDATE {table} SET amount = amount + 1 WHERE {hour} AND payment_id LIKE '%07'", hour)
    found = office.certify(hour)
    assert (found["verdict"], found["republished"]) == ("late rows", True)
    assert found["change"] == {"added": 0, "altered": 1, "moved": 0, "deleted": 0}
    assert office.becomes(hour, "certified")["revision"] == 2


def test_rows_deleted_are_told_and_not_mended_because_sending_cannot_take_them_back(office: Office) -> None:
    hour = office.delivered(20)
    office.sql("DELETE FROM {table} WHERE {hour} AND payment_id LIKE '%7'", hour)
    found = office.certify(hour)
    assert (found["verdict"], found["republished"]) == ("rows gone", False)
    assert found["change"] == {"added": 0, "altered": 0, "moved": 0, "deleted": 2}
    assert found["problems"] == ["2 rows were deleted after the plan"]


def test_rows_that_changed_again_later_belong_to_the_later_hour_and_are_no_fault(office: Office) -> None:
    hour = office.delivered(20)
    office.sql("UPDATE {table} SET updated_at = CURRENT_TIMESTAMP() WHERE {hour} AND payment_id LIKE '%7'", hour)
    found = office.certify(hour)
    assert (found["verdict"], found["republished"]) == ("certified", False)
    assert found["change"] == {"added": 0, "altered": 0, "moved": 2, "deleted": 0}


def test_late_rows_are_only_told_where_the_settings_say_so(office: Office) -> None:
    hour = office.delivered(5)
    office.add(hour, 2, seed=8)
    found = office.certify(hour, REVISE_LATE_ROWS="false")
    assert (found["verdict"], found["republished"]) == ("late rows", False)


def test_one_finding_is_mended_once_however_often_certify_runs(office: Office) -> None:
    hour = office.delivered(5)
    office.add(hour, 2, seed=8)
    for _ in range(3):
        office.verdict(hour)
    assert office.becomes(hour, "certified")["revision"] == 2
    office.verdict(hour)
    assert {name.split("/r")[1][0] for name in office.records(hour)} == {"1", "2"}


def test_an_hour_that_the_warehouse_has_not_finished_is_not_taken_for_a_hole(office: Office) -> None:
    hour = office.hour(0, dataset="transactions")
    office.world.tables.sql(f"DELETE FROM `{office.world.tables.name}.watermark` WHERE dataset = 'transactions'")
    try:
        (found,) = office.told("certify", "--start", hour, "--dataset", "transactions", code=1)
    finally:
        office.world.tables.complete(["transactions"], office.now)
    assert (found["verdict"], found["republished"]) == ("source not ready", False)
