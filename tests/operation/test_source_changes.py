"""Rows that are inserted, changed or deleted in delivered hours: found by certify, repaired by the function."""

from tests.operation.operator import Operator


def test_rows_inserted_behind_our_back_are_found_and_sent_as_a_new_revision(operator: Operator) -> None:
    hour = operator.delivered(20)
    operator.sql(
        "INSERT INTO {table} SELECT * REPLACE (CONCAT('late-', payment_id) AS payment_id) "
        "FROM {table} WHERE {hour} ORDER BY payment_id LIMIT 3",
        hour,
    )
    found = operator.certify(hour)
    assert (found["verdict"], found["republished"]) == ("late rows", True)
    assert found["change"] == {"added": 3, "altered": 0, "moved": 0, "deleted": 0}
    repaired = operator.becomes(hour, "certified")
    assert (repaired["revision"], repaired["rows_planned"], repaired["rows_now"]) == (2, 23, 23)
    assert operator.file(hour, 1) != operator.file(hour, 2)


def test_values_altered_in_place_are_found_and_sent_as_a_new_revision(operator: Operator) -> None:
    hour = operator.delivered(20)
    operator.sql("UPDATE {table} SET amount = amount + 1 WHERE {hour} AND payment_id LIKE '%07'", hour)
    found = operator.certify(hour)
    assert (found["verdict"], found["republished"]) == ("late rows", True)
    assert found["change"] == {"added": 0, "altered": 1, "moved": 0, "deleted": 0}
    assert operator.becomes(hour, "certified")["revision"] == 2


def test_rows_deleted_are_reported_and_not_repaired_because_sending_cannot_take_them_back(operator: Operator) -> None:
    hour = operator.delivered(20)
    operator.sql("DELETE FROM {table} WHERE {hour} AND payment_id LIKE '%7'", hour)
    found = operator.certify(hour)
    assert (found["verdict"], found["republished"]) == ("rows gone", False)
    assert found["change"] == {"added": 0, "altered": 0, "moved": 0, "deleted": 2}
    next_ = f"next: python -m pipeline certify --start {hour} --dataset payments"
    assert found["problems"] == ["2 rows deleted after the plan", next_]


def test_rows_that_changed_again_later_belong_to_the_later_hour_and_are_no_fault(operator: Operator) -> None:
    hour = operator.delivered(20)
    operator.sql("UPDATE {table} SET updated_at = CURRENT_TIMESTAMP() WHERE {hour} AND payment_id LIKE '%7'", hour)
    found = operator.certify(hour)
    assert (found["verdict"], found["republished"]) == ("certified", False)
    assert found["change"] == {"added": 0, "altered": 0, "moved": 2, "deleted": 0}


def test_late_rows_are_only_reported_where_the_settings_say_so(operator: Operator) -> None:
    hour = operator.delivered(5)
    operator.add(hour, 2, seed=8)
    found = operator.certify(hour, REVISE_LATE_ROWS="false")
    assert (found["verdict"], found["republished"]) == ("late rows", False)


def test_one_finding_is_mended_once_however_often_certify_runs(operator: Operator) -> None:
    hour = operator.delivered(5)
    operator.add(hour, 2, seed=8)
    for _ in range(3):
        operator.verdict(hour)
    assert operator.becomes(hour, "certified")["revision"] == 2
    operator.verdict(hour)
    assert {name.split("/r")[1][0] for name in operator.records(hour)} == {"1", "2"}


def test_an_hour_that_the_warehouse_has_not_finished_is_not_taken_for_a_hole(operator: Operator) -> None:
    hour = operator.hour(0, dataset="transactions")
    operator.deployment.tables.sql(
        f"DELETE FROM `{operator.deployment.tables.name}.watermark` WHERE dataset = 'transactions'"
    )
    try:
        (found,) = operator.answer("certify", "--start", hour, "--dataset", "transactions", code=1)
    finally:
        operator.deployment.tables.complete(["transactions"], operator.now)
    assert (found["verdict"], found["republished"]) == ("source not ready", False)
