"""The scheduler's hourly message, from the topic to the partner: the deployed code, with both server profiles."""

from datetime import UTC, datetime

import pytest

from localcloud.opened import open_files
from localcloud.waiting import until
from pipeline.window import Slot, Window
from tests.deployment import InProcessDeployment

ROWS = {"identity": 40, "payments": 60, "transactions": 80}


@pytest.mark.parametrize("profile", ["deployment", "openssh_deployment"], ids=["aws, direct", "openssh, rename"])
def test_one_message_delivers_all_three_datasets_and_the_same_again_does_nothing(
    request: pytest.FixtureRequest, profile: str
) -> None:
    any_deployment: InProcessDeployment = request.getfixturevalue(profile)
    window = Window.last_full_hour_before(datetime.now(UTC))
    for start in (window.start, window.end):  # the next one too: the clock may strike before the message is published
        any_deployment.load("identity", 0, window=Window.hour(start))
        any_deployment.fill(start, ROWS)
    with any_deployment.serving() as function:

        def seen(name: str) -> int:
            return sum(event["event"] == name for event in function.events())

        any_deployment.publish(b"{}")
        until(lambda: seen("delivery.completed") == 3, function.log)
        first = any_deployment.received()
        stamps = {path: path.stat().st_mtime_ns for path in first}
        uploads = seen("upload.started")
        start = datetime.fromisoformat(next(event["window"] for event in function.events() if "dataset" in event)[:16])
        any_deployment.publish(b"{}")
        until(lambda: seen("run.completed") == 8, function.log)
        failed = [event for event in function.events() if event["severity"] in ("ERROR", "CRITICAL")]
    then = Window.hour(start.replace(tzinfo=UTC))
    opened = open_files(any_deployment, then)
    assert {name: (one.identical, one.verdict) for name, one in opened.items()} == dict.fromkeys(
        ROWS, (True, "identical")
    )
    assert failed == []
    assert len(first) == 3
    if Window.last_full_hour_before(datetime.now(UTC)) == then:
        assert (seen("delivery.unchanged"), seen("upload.started")) == (3, uploads)
        assert {path: path.stat().st_mtime_ns for path in any_deployment.received()} == stamps
    for name in ROWS:
        records = {record for record in any_deployment.records(Slot(name, then)) if "sending" not in record}
        assert records == {"r1/plan", "r1/sealed-1", "r1/delivered-1-1"}
