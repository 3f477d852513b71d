"""The first day, empty hours, stuck deliveries, and long ranges."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from click.testing import CliRunner

from pipeline.__main__ import main as command
from pipeline.window import HOUR, Slot, Window, rfc3339
from tests.certify.conftest import Certifying
from tests.deployment import HOUR as LATEST
from tests.deployment import InProcessDeployment


def _before(slot: Slot, hours: int) -> Slot:
    return Slot(slot.dataset, Window.hour(slot.window.start - hours * HOUR))


def _range(slot: Slot, hours: int) -> dict[str, object]:
    window = {"start": rfc3339(slot.window.end - hours * HOUR), "end": rfc3339(slot.window.end)}
    return {"action": "certify", "datasets": [slot.dataset], "window": window}


def test_hours_before_the_first_plan_are_not_missing(deployment: InProcessDeployment) -> None:
    slot = deployment.load()
    deployment.fill(_before(slot, 3).window.start, {"payments": 5}, seed=1)
    deployment.tables.complete(["payments"], slot.window.end)
    deployment.deliver(slot)
    ran = deployment.run(_range(slot, 6))
    assert not ran.named("window.missing", "window.republished")
    assert deployment.published() == []
    assert deployment.records(_before(slot, 3)) == {}


def test_first_hour_says_from_when_on_hours_are_due(deployment: InProcessDeployment) -> None:
    slot = deployment.load()
    for hours in (2, 4):
        deployment.fill(_before(slot, hours).window.start, {"payments": 5}, seed=hours)
    deployment.tables.complete(["payments"], slot.window.end)
    deployment.set(FIRST_HOUR=rfc3339(slot.window.start - 3 * HOUR))
    ran = deployment.run(_range(slot, 6))
    assert len(ran.named("window.missing")) == 2
    assert deployment.records(_before(slot, 4)) == {}


def test_an_hour_without_rows_is_empty_and_not_missing(deployment: InProcessDeployment) -> None:
    slot = deployment.load()
    deployment.set(FIRST_HOUR=rfc3339(slot.window.start - 3 * HOUR))
    deployment.deliver(slot)
    ran = deployment.run(_range(slot, 3))
    assert not ran.named("window.missing", "window.republished")
    assert len(ran.named("window.empty")) == 2


def test_a_delivery_that_was_begun_an_hour_ago_is_stalled_and_says_what_the_last_error_was(
    certifying: Certifying,
) -> None:
    deployment = certifying.deployment
    slot = deployment.load()
    certifying.break_partner(certifying.fault("open", "error", times=9))
    assert deployment.deliver(slot).error is not None
    deployment.cloud.end_faults()
    assert certifying.verdict(slot) == "missing"
    certifying.begun_earlier(slot)
    ran = certifying.certify(slot)
    found = certifying.latest(slot)
    assert found["verdict"] == "stalled"
    assert "the last attempt failed: partner-refused" in found["problems"][-2]
    assert len(ran.named("window.stalled")) == len(ran.named("window.republished")) == 1
    shown = _typed(deployment, "status", "payments", rfc3339(slot.window.start), "--json")
    assert (shown["state"], "partner-refused" in shown["problems"][-1]) == ("stalled", True)


def test_the_output_merges_hours_and_says_what_max_republish_left(deployment: InProcessDeployment) -> None:
    slot = deployment.load()
    for hours in range(1, 5):
        deployment.fill(_before(slot, hours).window.start, {"payments": 5}, seed=hours)
    deployment.tables.complete(["payments"], slot.window.end)
    deployment.set(FIRST_HOUR=rfc3339(slot.window.start - 4 * HOUR), MAX_REPUBLISH="2")
    window = ["--start", rfc3339(slot.window.start - 4 * HOUR), "--end", rfc3339(slot.window.end)]
    words = ["certify", "--here", *window, "--dataset", "payments"]
    result = CliRunner().invoke(command, words, env=deployment.environment(), catch_exceptions=False)
    assert result.exit_code == 1
    assert "payments 5 hours from" in result.stdout
    assert "2 published again" in result.stdout
    assert result.stdout.count(" rows at the source, nothing planned") == 5
    assert f"republish {' '.join(window)} --dataset payments" in result.stdout
    assert "3 more can be published again" in result.stdout


def test_an_hour_that_was_never_sent_goes_before_files_that_are_sent_again(deployment: InProcessDeployment) -> None:
    """A partner that shows wrong sizes for good would else have the same hours sent again, and older holes never."""
    slot = deployment.load()
    missing = _before(slot, 3)
    deployment.fill(missing.window.start, {"payments": 5}, seed=1)
    deployment.tables.complete(["payments"], slot.window.end)
    deployment.set(FIRST_HOUR=rfc3339(missing.window.start), MAX_REPUBLISH="1")
    assert deployment.deliver(slot).error is None
    (file,) = deployment.received()
    file.write_bytes(file.read_bytes()[:-1])
    deployment.run(_range(slot, 4))
    (published,) = deployment.published()
    assert json.loads(published)["window"]["start"] == rfc3339(missing.window.start)


def test_a_long_range_is_fanned_out_by_day_and_dataset_and_each_day_is_certified(
    deployment: InProcessDeployment,
) -> None:
    slot = deployment.load()
    deployment.deliver(slot)
    days, names = 10, ["payments", "identity"]
    start = (LATEST.end - days * 24 * HOUR).replace(hour=0)
    window = {"start": rfc3339(start), "end": rfc3339(LATEST.end)}
    ran = deployment.run({"action": "certify", "datasets": names, "window": window, "full": True})
    assert ran.error is None
    asked = [json.loads(data) for data in deployment.published()]
    assert all(one["action"] == "certify" and one["full"] for one in asked)
    hours = [
        (name, hour.start)
        for one in asked
        for name in one["datasets"]
        for hour in Window(
            datetime.fromisoformat(one["window"]["start"]), datetime.fromisoformat(one["window"]["end"])
        ).hours()
    ]
    assert sorted(hours) == sorted((name, hour.start) for name in names for hour in Window(start, LATEST.end).hours())
    assert len(asked) in (len(names) * days, len(names) * (days + 1))
    assert all(deployment.run(json.dumps(one).encode()).error is None for one in asked[-2:])


def _typed(deployment: InProcessDeployment, *words: str) -> Any:
    result = CliRunner().invoke(command, list(words), env=deployment.environment(), catch_exceptions=False)
    return json.loads(result.stdout)
