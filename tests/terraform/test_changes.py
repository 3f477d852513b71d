"""Plans after the first apply: nothing drifts, bindings follow what is replaced, an upgrade keeps what it must."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Final

import pytest

from .offline import Deployment, apply

FUNCTION: Final = "module.share.google_cloudfunctions2_function.share"
BUDGET: Final = '-var=budget={billing_account="0123AB-4567CD-89EF01",amount=150}'

HOLDING: Final = {
    "google_storage_bucket": ("name", "location", "project"),
    "google_pubsub_topic": ("name", "project"),
    "google_pubsub_subscription": ("name", "topic", "project", "filter"),
    "google_secret_manager_secret": ("secret_id", "replication", "project"),
    "google_compute_address": ("name", "region", "project"),
    "google_service_account": ("account_id", "project"),
    "google_bigquery_dataset": ("dataset_id", "location", "project"),
}
"""What holds something, and the arguments whose change would replace it."""


@pytest.mark.parametrize("name", ["example", "everything", "smallest", "two_partners"])
def test_a_second_plan_changes_nothing(name: str, request: pytest.FixtureRequest) -> None:
    deployment: Deployment = request.getfixturevalue(name)
    assert deployment.plan() == ([], {})


def test_a_budget_and_its_service_change_nothing_else(example: Deployment) -> None:
    changes, outputs = example.plan(BUDGET)
    assert {(change.address, change.actions) for change in changes} == {
        ("module.share.google_billing_budget.this[0]", ("create",)),
        ('module.share.google_project_service.this["billingbudgets.googleapis.com"]', ("create",)),
    }
    assert outputs == {}


def test_the_invokers_binding_follows_a_replaced_function_and_messages_wait(
    example: Deployment,
) -> None:
    changes, _ = example.plan(f"-replace={FUNCTION}")
    actions = {change.address.removeprefix("module.share."): change.actions for change in changes}
    assert actions == {
        "google_cloudfunctions2_function.share": ("delete", "create"),
        "google_cloud_run_v2_service_iam_member.function_from_trigger": ("delete", "create"),
        "google_pubsub_subscription.messages": ("update",),
    }


def test_a_key_that_is_named_later_changes_what_it_encrypts_in_place(example: Deployment) -> None:
    key = "projects/acme-keys/locations/europe-west1/keyRings/share/cryptoKeys/objects"
    changes, _ = example.plan(f"-var=kms_key={key}")
    assert [change.address for change in changes if "delete" in change.actions] == []
    encrypted = {change.type for change in changes if key in json.dumps(change.after) and "iam" not in change.type}
    assert encrypted == {
        "google_storage_bucket",
        "google_pubsub_topic",
        "google_artifact_registry_repository",
        "google_cloudfunctions2_function",
    }


def test_an_upgrade_from_version_0_1_keeps_what_holds_something(repository: Path) -> None:
    variables = Path(__file__).with_name("everything-0.1.hcl")
    deployment = apply(repository, "terraform", f"-var-file={variables}")
    state = gzip.decompress(Path(__file__).with_name("state-0.1.json.gz").read_bytes())
    (deployment.folder / "terraform.tfstate").write_bytes(state)

    changes, _ = deployment.plan('-var=secrets={prefix=""}', f"-replace={FUNCTION}")

    gone = {change.address.removeprefix("module.share.") for change in changes if change.actions == ("delete",)}
    assert gone == {
        "google_project_iam_member.events_to_trigger",
        'google_project_service.this["eventarc.googleapis.com"]',
        'google_project_service_identity.this["eventarc"]',
        "time_sleep.metrics",
    }
    replaced = {change.address for change in changes if len(change.actions) == 2}
    assert replaced == {
        "module.share.google_cloudfunctions2_function.share",
        "module.share.google_cloud_run_v2_service_iam_member.function_from_trigger",
    }
    for change in changes:
        if change.type in HOLDING and change.actions == ("update",):
            for name in HOLDING[change.type]:
                assert change.before.get(name) == change.after.get(name), (change.address, name)


def test_without_the_old_prefix_an_upgrade_would_rename_secrets_so_the_guide_names_it(repository: Path) -> None:
    guide = (repository / "terraform" / "README.md").read_text(encoding="utf-8")
    assert 'secrets = { prefix = "" }' in guide
