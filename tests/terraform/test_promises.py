"""The alerts on each contract's promise, their queries evaluated by Prometheus itself."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from localcloud.processes import repository
from pipeline.contracts.reader import load

from .offline import Deployment

HOURS = 24 * 14
DATASETS = load(repository() / "pipeline" / "contracts")


def policies(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """The alert policies on promises by their names."""
    found = deployment.all("google_monitoring_alert_policy", "burning")
    return {str(policy.key): policy.values for policy in found}


def query(policy: dict[str, Any]) -> str:
    return str(policy["conditions"][0]["condition_prometheus_query_language"][0]["query"])


def test_each_dataset_that_promises_has_a_fast_and_a_slow_alert_with_its_own_limit(example: Deployment) -> None:
    found = policies(example)
    promises = {name: dataset.promise for name, dataset in DATASETS.items() if dataset.promise}
    assert sorted(found) == sorted(f"{name}-{speed}" for name in promises for speed in ("fast", "slow"))
    for name, promise in promises.items():
        for speed, factor in (("fast", 6), ("slow", 2)):
            limits = re.findall(r"> ([0-9.e-]+)\)", query(found[f"{name}-{speed}"]))
            assert [float(limit) for limit in limits] == [pytest.approx(factor * (100 - promise.percent) / 100)] * 2


def test_what_is_counted_is_what_the_function_says(example: Deployment) -> None:
    metric = example.one("google_logging_metric", "punctuality")
    assert 'jsonPayload.event=("delivery.completed" OR "delivery.overdue")' in metric["filter"]
    assert "jsonPayload.in_time=(true OR false)" in metric["filter"]
    assert metric["label_extractors"] == {
        "dataset": "EXTRACT(jsonPayload.dataset)",
        "in_time": "EXTRACT(jsonPayload.in_time)",
    }


def fires(tmp_path: Path, example: Deployment, late: set[int]) -> dict[str, set[int]]:
    """The hours after which each alert of payments fires, one delivery an hour, those of the `late` hours late."""
    found = {speed: query(policies(example)[f"payments-{speed}"]) for speed in ("fast", "slow")}
    name = re.findall(r"increase\(([\w:]+)\{", found["fast"])[0]
    labels = 'monitored_resource="cloud_run_revision",dataset="payments"'
    counts = {"true": 0, "false": 0}
    series: dict[str, list[int]] = {"true": [], "false": []}
    for hour in range(HOURS):
        counts["false" if hour in late else "true"] += 1
        for key, values in series.items():
            values.append(counts[key])
    rules = [{"alert": speed, "expr": text} for speed, text in found.items()]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "promises", "rules": rules}]}))
    fired: dict[str, set[int]] = {"fast": set(), "slow": set()}
    expected = [
        {"eval_time": f"{hour}h", "alertname": speed, "exp_alerts": []} for hour in range(25, HOURS) for speed in found
    ]
    test = {
        "interval": "1h",
        "input_series": [
            {"series": f'{name}{{{labels},in_time="{key}"}}', "values": " ".join(map(str, [0, *values]))}
            for key, values in series.items()
            if key == "true" or late
        ],
        "alert_rule_test": expected,
    }
    whole = {"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": [test]}
    (tmp_path / "tests.yml").write_text(json.dumps(whole))
    done = subprocess.run(
        ["promtool", "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert not re.search(r"error|unmarshal|parse", done.stderr.lower()), done.stderr
    for speed, days, hours in re.findall(r"alertname: (\w+), time: (?:(\d+)d)?(?:(\d+)h)?", done.stdout + done.stderr):
        fired[speed].add(int(days or 0) * 24 + int(hours or 0))
    return fired


def test_a_single_late_delivery_rings_neither(tmp_path: Path, example: Deployment) -> None:
    assert fires(tmp_path, example, {200}) == {"fast": set(), "slow": set()}


def test_a_fortnight_without_a_late_one_rings_neither(tmp_path: Path, example: Deployment) -> None:
    assert fires(tmp_path, example, set()) == {"fast": set(), "slow": set()}


def test_a_bad_day_rings_the_fast_one_while_it_lasts_and_then_the_slow_one(tmp_path: Path, example: Deployment) -> None:
    fired = fires(tmp_path, example, set(range(200, 212)))
    # The second late one is 8.3 % of a day, over 6 %; two hours after the last the short window is clean.
    assert min(fired["fast"]) in (202, 203)
    assert max(fired["fast"]) in (212, 213, 214)
    # The fourth late one is 2.4 % of a week, over 2 %; twelve hours after the last it is quiet.
    assert min(fired["slow"]) in (204, 205)
    assert max(fired["slow"]) in range(222, 226)
