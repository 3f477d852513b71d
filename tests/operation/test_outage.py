"""The scheduler was stopped for six hours, and with it everything that it starts."""

import json
from datetime import timedelta

from pipeline.window import rfc3339
from tests.operation.operator import OUTAGE, Operator


def test_six_hours_without_a_message_are_found_and_filled_by_the_next_certify_with_no_human(operator: Operator) -> None:
    first = operator.now - timedelta(hours=OUTAGE + 1)
    hours = [rfc3339(first + timedelta(hours=number)) for number in range(OUTAGE)]
    for hour in hours:
        operator.add(hour, 10, "payments")
        operator.add(hour, 5, "identity")
    operator.deployment.publish(b'{"action": "certify"}')
    window = ("--start", hours[0], "--end", rfc3339(first + timedelta(hours=OUTAGE)))

    def verdicts() -> list[str]:
        answer = operator.run("certify", *window, "--json", MAX_REPUBLISH="0").stdout
        return [found["verdict"] for found in json.loads(answer)]

    operator.wait(lambda: set(verdicts()) == {"certified", "empty"}, lambda: str(verdicts()))
    found = verdicts()
    assert (found.count("certified"), found.count("empty")) == (2 * OUTAGE, OUTAGE)
    cells = json.loads(operator.run("status", "--hours", str(OUTAGE + 3), "--json").stdout)["cells"]
    filled = [cell for cell in cells if cell["start"] in hours]
    assert sum(cell["rows"] or 0 for cell in filled) == OUTAGE * 15


def test_a_certify_run_republishes_no_more_than_the_settings_allow(operator: Operator) -> None:
    hours = [operator.hour(1) for _ in range(3)]
    found = operator.answer(
        "certify", "--start", hours[-1], "--end", hours[0], "--dataset", "payments", code=1, MAX_REPUBLISH="1"
    )
    assert [one["verdict"] for one in found] == ["missing", "missing"]
    assert sum(one["republished"] for one in found) == 1
