"""Two deployments in one project: nothing of one has the name of anything of the other."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

from pipeline.contracts import reader

from .offline import ROOT, Deployment, Resource

NAMES = ("name", "secret_id", "account_id", "repository_id", "dataset_id", "display_name", "title")
"""Attributes by which a resource is known in its project."""

PLACES = ("topic", "subscription", "bucket", "service_account_id", "repository")
"""Attributes that say where a role is granted."""

SHARED = ("google_project_service", "google_project_service_identity", "google_dns_record_set", "time_sleep")
"""What both may name alike: a setting of the project, a record of a zone of its own, nothing at all."""


def _is_name(resource: Resource, attribute: str) -> bool:
    value = resource.values.get(attribute)
    if resource.type in SHARED or "_iam_" in resource.type or not isinstance(value, str):
        return False
    return attribute != "name" or "/" not in value  # made by the server


def test_no_two_resources_have_one_name(two_partners: Deployment) -> None:
    names = Counter(
        (resource.type, attribute, resource.values[attribute])
        for resource in two_partners.resources
        for attribute in NAMES
        if _is_name(resource, attribute)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_two_roles_are_granted_in_one_place_to_one_member(two_partners: Deployment) -> None:
    grants = Counter(
        (resource.type, *(str(resource.values.get(name)) for name in (*NAMES, *PLACES, "role", "member")))
        for resource in two_partners.resources
        if "_iam_member" in resource.type
    )
    assert [grant for grant, count in grants.items() if count > 1] == []


def test_what_is_one_for_the_whole_project_is_set_by_one_of_them(two_partners: Deployment) -> None:
    services = [config.values["service"] for config in two_partners.all("google_project_iam_audit_config")]
    assert sorted(services) == ["secretmanager.googleapis.com", "storage.googleapis.com"]


def test_each_has_its_own_function_with_its_own_contracts(two_partners: Deployment, tmp_path: Path) -> None:
    functions = two_partners.all("google_cloudfunctions2_function")
    assert sorted(function.values["name"] for function in functions) == ["amazon-pspp-share", "second-partner-share"]
    for archive in two_partners.archives():
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(tmp_path / archive.name.split("-")[0])
    first = reader.load(tmp_path / "amazon" / "pipeline" / "contracts")
    assert sorted(first) == ["identity", "payments", "transactions"]
    (contract,) = reader.load(tmp_path / "second" / "pipeline" / "contracts").values()
    text = (ROOT / "terraform/examples/two_partners/contracts/payments.yaml").read_text(encoding="utf-8")
    assert contract == reader.read(text, where="payments.yaml")


def test_each_reads_its_own_secrets_and_nobody_elses(two_partners: Deployment) -> None:
    for function in two_partners.all("google_cloudfunctions2_function"):
        prefix = function.values["name"].removesuffix("share")
        environment = function.values["service_config"][0]["environment_variables"]
        secrets = {value for name, value in environment.items() if name.endswith("_SECRET") and value}
        granted = {
            grant.values["secret_id"].rsplit("/", 1)[-1]
            for grant in two_partners.all("google_secret_manager_secret_iam_member", "secret_to_function")
            if grant.values["member"].startswith(f"serviceAccount:{prefix}function@")
        }
        assert secrets == granted
        assert all(secret.startswith(prefix) for secret in secrets)
