"""The applied state: who may do what, what is watched, and whether the function understands what it is given."""

from __future__ import annotations

import base64
import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from pipeline import messages
from pipeline.log import ALERTS, EVENTS
from pipeline.settings import ENDPOINTS, Settings, from_environment

from .offline import Deployment, Resource

MODULE: Final = Path(__file__).parents[2] / "terraform" / "module"
RUNBOOK: Final = (MODULE.parents[1] / "RUNBOOK.md").read_text(encoding="utf-8")
README: Final = (MODULE.parent / "README.md").read_text(encoding="utf-8")

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
    "google_service_account_iam_member": "account",
}


AGENTS: Final = {
    "gcp-sa-artifactregistry": "artifactregistry",
    "gcf-admin-robot": "cloudfunctions",
    "gcp-sa-cloudscheduler": "cloudscheduler",
    "gs-project-accounts": "gs",
    "gcp-sa-pubsub": "pubsub",
    "serverless-robot-prod": "run",
    "gcp-sa-secretmanager": "secretmanager",
}


def _who(member: str) -> str:
    """The account or people behind a member, as the table of roles in the README calls them."""
    people = {
        "group:oncall": "operators",
        "group:responders": "responders",
        "user:kim": "custodians",
        "group:audit": "auditors",
    }
    local, _, domain = member.partition("@")
    if local in people:
        return people[local]
    agent = AGENTS.get(domain.removesuffix(".iam.gserviceaccount.com"))
    return f"{agent} agent" if agent else local.rpartition("-")[2]


def _grants(deployment: Deployment) -> set[tuple[str, str, str]]:
    return {
        (_who(found.values["member"]), found.values["role"], PLACES[found.type])
        for found in deployment.resources
        if "_iam_" in found.type and "member" in found.values
    }


def test_the_roles_are_those_of_the_readme_and_no_others(everything: Deployment) -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| `(roles/[\w.]+)` \| ([a-z]+)[^|]* \| [^|]+ \|$", README, re.M)
    granted = _grants(everything)
    inherited = {(who, role, place) for who, role, place in granted if who == "responders"} & {
        ("responders", role, place) for who, role, place in granted if who == "operators"
    }
    assert set(rows) == granted - inherited


def test_the_runbook_asks_of_nobody_what_they_are_not_granted(everything: Deployment) -> None:
    rows = re.findall(r"^\| `[a-z -]+` \| (\w+) \| `(roles/[\w.]+)` \| (\w+) \|$", RUNBOOK, re.M)
    assert len(rows) > 10
    assert set(rows) <= _grants(everything)


def test_whoever_types_a_command_may_have_its_calls_counted_against_the_project(everything: Deployment) -> None:
    granted = _grants(everything)
    for who in ("operators", "responders", "auditors"):
        assert (who, "roles/serviceusage.serviceUsageConsumer", "project") in granted


def test_whoever_responds_may_do_what_operators_may(everything: Deployment) -> None:
    granted = _grants(everything)
    operators = {(role, place) for who, role, place in granted if who == "operators"}
    assert operators
    assert operators <= {(role, place) for who, role, place in granted if who == "responders"}


def test_grants_are_single_members_so_that_others_keep_theirs(deployment: Deployment) -> None:
    kinds = {found.type for found in deployment.resources if "_iam_" in found.type}
    assert kinds <= {*PLACES, "google_project_iam_audit_config"}


def test_on_the_project_stand_only_roles_that_show_no_data(deployment: Deployment) -> None:
    wide = {(_who(found.values["member"]), found.values["role"]) for found in _unconditional(deployment)}
    people = {
        "roles/logging.viewer",
        "roles/logging.privateLogViewer",
        "roles/monitoring.viewer",
        "roles/serviceusage.serviceUsageConsumer",
    }
    assert {(who, role) for who, role in wide if role not in people} == {
        ("function", "roles/bigquery.jobUser"),
        ("function", "roles/bigquery.readSessionUser"),
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
    (said,) = re.findall(r"Plan: (\d+) to add", README)
    assert abs(len(example.resources) - int(said)) <= 10


def test_the_function_understands_its_environment(everything: Deployment) -> None:
    given = everything.one("google_cloudfunctions2_function", "share")["service_config"][0]["environment_variables"]
    settings = from_environment(given)
    assert set(given) == {name.upper() for name in Settings.model_fields} - set(ENDPOINTS)
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


def test_every_policy_reaches_somebody_closes_by_itself_and_is_on_the_dashboard(deployment: Deployment) -> None:
    policies = deployment.all("google_monitoring_alert_policy")
    promises = deployment.all("google_monitoring_alert_policy", "burning")
    assert len(policies) == len(ALERTS) + 6 + len(promises)
    dashboard = json.loads(deployment.one("google_monitoring_dashboard", "this")["dashboard_json"])
    (listed,) = [
        tile["widget"]["incidentList"]["policyNames"]
        for tile in dashboard["mosaicLayout"]["tiles"]
        if "incidentList" in tile["widget"]
    ]
    assert sorted(listed) == sorted(policy.values["name"] for policy in policies)
    for policy in policies:
        assert policy.values["notification_channels"], policy.address
        assert policy.values["enabled"], policy.address
        assert policy.values["alert_strategy"][0]["auto_close"] == "1800s", policy.address


def test_no_condition_needs_a_metric_that_monitoring_may_not_know_yet(deployment: Deployment) -> None:
    for policy in deployment.all("google_monitoring_alert_policy"):
        (condition,) = policy.values["conditions"]
        for query in condition["condition_prometheus_query_language"]:
            assert query["disable_metric_validation"], policy.address
        for threshold in condition["condition_threshold"]:
            assert "logging.googleapis.com/user/" not in threshold["filter"], policy.address


def test_an_event_of_another_window_message_or_key_opens_an_incident_of_its_own(deployment: Deployment) -> None:
    labels = {
        str(metric.key): {label["key"] for label in metric.values["metric_descriptor"][0]["labels"]}
        for metric in deployment.all("google_logging_metric", "event")
    }
    for policy in deployment.all("google_monitoring_alert_policy", "event"):
        query = policy.values["conditions"][0]["condition_prometheus_query_language"][0]["query"]
        by = set(re.findall(r"\w+", re.findall(r"sum by \((.+?)\)", query)[0]))
        assert by == ({"dataset"} if policy.key == "rows.waiting" else {"dataset", "window", "key", "message_id"})
        assert by <= labels[str(policy.key)]


def test_rows_that_wait_are_one_incident_however_many_hours_say_so(deployment: Deployment) -> None:
    """Each certify says it again, under a message of its own: an incident of each would be a call every hour."""
    policies = {str(found.key): found.values for found in deployment.all("google_monitoring_alert_policy", "event")}
    (condition,) = policies["rows.waiting"]["conditions"]
    query = condition["condition_prometheus_query_language"][0]["query"]
    assert query.startswith("sum by (dataset) (")
    minutes = int(re.findall(r"\[(\d+)m\]", query)[0])
    assert minutes > 60, "the next certify speaks before the incident is over"


def test_silence_is_one_series_without_labels_so_that_its_clock_never_begins_again(deployment: Deployment) -> None:
    policy = deployment.one("google_monitoring_alert_policy", "nothing_certified")
    query = policy["conditions"][0]["condition_prometheus_query_language"][0]["query"]
    assert re.fullmatch(r"\(sum\(increase\(\S+\[1h\]\)\) or vector\(0\)\) < 1", query)
    assert "absent" not in query


def test_messages_are_pushed_by_a_subscription_that_keeps_them_for_a_week(deployment: Deployment) -> None:
    subscription = deployment.one("google_pubsub_subscription", "messages")
    function = deployment.one("google_cloudfunctions2_function", "share")
    (push,) = subscription["push_config"]
    assert push["push_endpoint"] == push["oidc_token"][0]["audience"] == function["service_config"][0]["uri"]
    assert (
        push["oidc_token"][0]["service_account_email"] == deployment.one("google_service_account", "trigger")["email"]
    )
    assert subscription["topic"] == deployment.one("google_pubsub_topic", "messages")["id"]
    assert subscription["ack_deadline_seconds"] == 600
    assert subscription["retry_policy"] == [{"minimum_backoff": "10s", "maximum_backoff": "600s"}]
    assert subscription["message_retention_duration"] == f"{7 * 24 * 3600}s"
    assert subscription["expiration_policy"] == [{"ttl": ""}]
    assert not function["event_trigger"]
    assert not [resource for resource in deployment.resources if "eventarc" in json.dumps(resource.values)]


def test_a_message_is_rejected_before_pubsub_forgets_it(deployment: Deployment) -> None:
    kept = int(deployment.one("google_pubsub_subscription", "messages")["message_retention_duration"][:-1])
    given = deployment.one("google_cloudfunctions2_function", "share")["service_config"][0]["environment_variables"]
    assert from_environment(given).max_message_age_hours * 3600 < kept


def test_a_person_who_acts_as_the_function_is_somebody_else(deployment: Deployment) -> None:
    reading = deployment.all("google_logging_metric", "audited")
    filters = {str(metric.key): metric.values["filter"] for metric in reading}
    assert "serviceAccountDelegationInfo:*" in filters["secret.read"]
    assert "storage.objects.delete" in filters["record.deleted"]
    for bucket in ("archive", "records"):
        assert f'"{deployment.one("google_storage_bucket", bucket)["name"]}"' in filters["record.deleted"]


def test_roles_are_granted_before_what_needs_them() -> None:
    text = {path.name: path.read_text(encoding="utf-8") for path in MODULE.glob("*.tf")}
    for file, wait in (("secrets.tf", "rotation"), ("function.tf", "roles"), ("topic.tf", "key")):
        assert re.search(rf"depends_on = \[[^]]*time_sleep\.{wait}\b", text[file]), file
    for block in re.findall(r'^data "\w+" "\w+" \{\n(.*?)^\}', "\n".join(text.values()), re.M | re.S):
        assert "depends_on" not in block


def test_a_laptop_gets_the_functions_settings_as_a_file(everything: Deployment, tmp_path: Path) -> None:
    written = tmp_path / ".env"
    written.write_text(everything.outputs["operator_env"], encoding="utf-8")
    given = everything.one("google_cloudfunctions2_function", "share")["service_config"][0]["environment_variables"]
    assert dict(dotenv_values(written)) == {name: value for name, value in given.items() if value}


def test_commands_are_printed_as_a_shell_reads_them(example: Deployment) -> None:
    for output in ("commands", "secrets_to_fill"):
        lines = [line for line in example.outputs[output].splitlines() if not line.startswith("# ")]
        assert lines
        for line in lines:
            assert shlex.split(line)[0] == "gcloud"
            assert '\\"' not in line


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


def test_every_alert_asks_for_its_own_metric(deployment: Deployment) -> None:
    for kind in ("event", "audited"):
        metrics = {str(metric.key): metric.values["name"] for metric in deployment.all("google_logging_metric", kind)}
        for policy in deployment.all("google_monitoring_alert_policy", kind):
            query = policy.values["conditions"][0]["condition_prometheus_query_language"][0]["query"]
            name = re.sub(r"\W", "_", metrics[str(policy.key)])
            assert f"increase(logging_googleapis_com:user_{name}{{monitored_resource=" in query


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
        (tile.get("xPos", 0) + x, tile.get("yPos", 0) + y)
        for tile in layout["tiles"]
        for x in range(tile["width"])
        for y in range(tile["height"])
    ]
    assert all(0 not in (tile.get("xPos"), tile.get("yPos")) for tile in layout["tiles"]), "the API drops zeros"
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
        assert int(values["retention_policy"][0]["retention_period"]) >= 365 * 86400
