"""The applied state: who may do what, what is watched, and whether the function understands what it is given."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pipeline import messages
from pipeline.log import ALERTS, EVENTS
from pipeline.settings import Settings, from_environment

from .conftest import Deployment, Resource

README: Final = (Path(__file__).parents[2] / "terraform" / "README.md").read_text(encoding="utf-8")

PLACES: Final = {
    "google_project_iam_member": "project",
    "google_storage_bucket_iam_member": "bucket",
    "google_bigquery_dataset_iam_member": "dataset",
    "google_secret_manager_secret_iam_member": "secret",
    "google_pubsub_topic_iam_member": "topic",
    "google_pubsub_subscription_iam_member": "subscription",
    "google_cloud_run_v2_service_iam_member": "service",
    "google_artifact_registry_repository_iam_member": "repository",
    "google_kms_crypto_key_iam_member": "key",
}


def _who(member: str) -> str:
    """The account or people behind a member, as the table of roles in the README calls them."""
    people = {"group:oncall": "operators", "user:kim": "custodians", "group:audit": "auditors"}
    local, _, domain = member.partition("@")
    if local in people:
        return people[local]
    agent = re.match(r"gcp-sa-(\w+)|(gs)-project-accounts", domain)
    return f"{agent[1] or agent[2]} agent" if agent else local.rpartition("-")[2]


def _grants(deployment: Deployment) -> set[tuple[str, str, str]]:
    return {
        (_who(found.values["member"]), found.values["role"], PLACES[found.type])
        for found in deployment.resources
        if "_iam_" in found.type and "member" in found.values
    }


def test_the_roles_are_those_of_the_readme_and_no_others(everything: Deployment) -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| `(roles/[\w.]+)` \| ([a-z]+)[^|]* \| [^|]+ \|$", README, re.M)
    assert set(rows) == _grants(everything)


def test_grants_are_single_members_so_that_others_keep_theirs(deployment: Deployment) -> None:
    kinds = {found.type for found in deployment.resources if "_iam_" in found.type}
    assert kinds <= {*PLACES, "google_project_iam_audit_config"}


def test_on_the_project_stand_only_roles_that_show_no_data(deployment: Deployment) -> None:
    wide = {(_who(found.values["member"]), found.values["role"]) for found in _unconditional(deployment)}
    assert wide == {
        ("function", "roles/bigquery.jobUser"),
        ("function", "roles/bigquery.readSessionUser"),
        ("trigger", "roles/eventarc.eventReceiver"),
        ("build", "roles/logging.logWriter"),
    }


def _unconditional(deployment: Deployment) -> list[Resource]:
    return [found for found in deployment.all("google_project_iam_member") if not found.values["condition"]]


def test_nobody_unknown_is_granted_anything(deployment: Deployment) -> None:
    assert "allUsers" not in deployment.text
    assert "allAuthenticatedUsers" not in deployment.text


def test_the_state_holds_no_secret(deployment: Deployment) -> None:
    assert not deployment.all("google_secret_manager_secret_version")
    assert not re.search(r"PRIVATE KEY|ssh-(rsa|ed25519) |BEGIN PGP", deployment.text)
    function = deployment.one("google_cloudfunctions2_function", "share")["service_config"][0]
    names = {secret.values["secret_id"] for secret in deployment.all("google_secret_manager_secret")}
    settings = {name: value for name, value in function["environment_variables"].items() if name.endswith("_SECRET")}
    assert set(settings.values()) - {""} == names


def test_the_readme_says_how_much_the_first_plan_makes(example: Deployment) -> None:
    assert re.findall(r"Plan: (\d+) to add", README) == [str(len(example.resources))]


def test_the_function_understands_its_environment(everything: Deployment) -> None:
    given = everything.one("google_cloudfunctions2_function", "share")["service_config"][0]["environment_variables"]
    settings = from_environment(given)
    assert set(given) == {name.upper() for name in Settings.model_fields if not name.endswith("_emulator_host")}
    assert settings.warehouse == "acme-warehouse.amazon_pspp"
    assert settings.sftp_collects is True
    assert (settings.sftp_publish, settings.returns_port, settings.returns_delete) == ("rename", 2223, True)
    assert (settings.pgp_compression, settings.pgp_sign, settings.max_republish) == ("zlib:1", False, 5)


def test_what_is_left_out_has_the_functions_own_default(example: Deployment) -> None:
    given = example.one("google_cloudfunctions2_function", "share")["service_config"][0]["environment_variables"]
    settings = from_environment(given)
    assert settings.max_part_rows == Settings.model_fields["max_part_rows"].default
    assert settings.returns_host == ""


def test_every_schedule_publishes_a_message_of_its_action(deployment: Deployment) -> None:
    jobs = deployment.all("google_cloud_scheduler_job")
    assert sorted(str(job.key) for job in jobs) == ["certify", "collect", "deliver", "keys"]
    topic = deployment.one("google_pubsub_topic", "messages")["id"]
    now = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
    for job in jobs:
        target = job.values["pubsub_target"][0]
        assert target["topic_name"] == topic
        read = messages.read(
            base64.b64decode(target["data"]),
            message_id="1",
            published=now,
            now=now,
            known=["payments"],
            max_age=timedelta(hours=1),
        )
        assert read.action == job.key
        assert job.values["time_zone"] == "Etc/UTC"


def test_alert_policies_are_the_alerts_of_the_code_with_their_severity(deployment: Deployment) -> None:
    policies = {str(found.key): found.values for found in deployment.all("google_monitoring_alert_policy", "event")}
    assert sorted(policies) == sorted(ALERTS)
    for event, policy in policies.items():
        assert policy["severity"] == EVENTS[event].severity, event
        assert policy["notification_channels"], event


def test_every_policy_is_told_to_somebody(deployment: Deployment) -> None:
    policies = deployment.all("google_monitoring_alert_policy")
    assert len(policies) == len(ALERTS) + 4
    assert all(policy.values["notification_channels"] and policy.values["enabled"] for policy in policies)


def test_every_metric_counts_an_event_that_the_function_writes(deployment: Deployment) -> None:
    function = deployment.one("google_cloudfunctions2_function", "share")["name"]
    for metric in (
        *deployment.all("google_logging_metric", "event"),
        *deployment.all("google_logging_metric", "figure"),
    ):
        filter_ = metric.values["filter"]
        assert f'resource.labels.service_name="{function}"' in filter_
        events = re.findall(r'"(\w+\.\w+)"', filter_.partition("jsonPayload.event=")[2])
        assert events
        assert set(events) <= set(EVENTS), metric.key


def test_every_alert_waits_on_its_own_metric(deployment: Deployment) -> None:
    metrics = {str(found.key): found.values["name"] for found in deployment.all("google_logging_metric", "event")}
    for policy in deployment.all("google_monitoring_alert_policy", "event"):
        condition = policy.values["conditions"][0]["condition_threshold"][0]
        assert f'metric.type="logging.googleapis.com/user/{metrics[str(policy.key)]}"' in condition["filter"]


def test_the_dashboard_shows_every_figure_and_asks_for_metrics_that_exist(deployment: Deployment) -> None:
    dashboard = json.loads(deployment.one("google_monitoring_dashboard", "this")["dashboard_json"])
    queries = [
        chart["timeSeriesQuery"]["prometheusQuery"]
        for tile in dashboard["mosaicLayout"]["tiles"]
        for chart in tile["widget"].get("xyChart", {}).get("dataSets", [])
    ]
    asked = {re.sub(r"_(sum|count)$", "", name) for query in queries for name in re.findall(r":user_(\w+)", query)}
    known = {re.sub(r"\W", "_", found.values["name"]) for found in deployment.all("google_logging_metric")}
    figures = {re.sub(r"\W", "_", found.values["name"]) for found in deployment.all("google_logging_metric", "figure")}
    assert figures <= asked <= known


def test_tiles_of_the_dashboard_do_not_overlap(example: Deployment) -> None:
    layout = json.loads(example.one("google_monitoring_dashboard", "this")["dashboard_json"])["mosaicLayout"]
    cells = [
        (tile["xPos"] + x, tile["yPos"] + y)
        for tile in layout["tiles"]
        for x in range(tile["width"])
        for y in range(tile["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < layout["columns"]


def test_buckets_are_closed_to_the_public_and_survive(deployment: Deployment) -> None:
    for bucket in deployment.all("google_storage_bucket"):
        assert bucket.values["public_access_prevention"] == "enforced", bucket.name
        assert bucket.values["uniform_bucket_level_access"] is True, bucket.name
    for name in ("archive", "records"):
        values = deployment.one("google_storage_bucket", name)
        assert values["force_destroy"] is False
        assert values["soft_delete_policy"][0]["retention_duration_seconds"] >= 30 * 86400
    assert deployment.one("google_storage_bucket", "archive")["retention_policy"]
    assert deployment.one("google_storage_bucket", "records")["versioning"][0]["enabled"] is True
