"""What the text of the configuration promises by itself, without Terraform."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pipeline.log import ALERTS
from pipeline.settings import ENDPOINTS, Settings

from . import tables

FOLDER: Final = Path(__file__).parents[2] / "terraform"
TEXTS: Final = {path.name: path.read_text(encoding="utf-8") for path in (FOLDER / "module").glob("*.tf")}
README: Final = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_environment_is_the_fields_of_the_settings() -> None:
    written = re.findall(r"^ +([A-Z_]+) += ", TEXTS["settings.tf"], re.M)
    read = {name.upper() for name in Settings.model_fields} - set(ENDPOINTS)
    assert sorted(written) == sorted(read)


def test_every_event_that_alerts_stands_in_the_configuration() -> None:
    written = re.findall(r'^ +"([a-z_]+\.[a-z_]+)" += \{ severity', TEXTS["events.tf"], re.M)
    assert sorted(written) == sorted(ALERTS)


def test_no_value_of_a_secret_can_be_in_the_state() -> None:
    makers = r'^resource "(google_secret_manager_secret_version|google_service_account_key|tls_\w+|random_\w+)"'
    assert not [name for name, text in TEXTS.items() if re.search(makers, text, re.M)]


def test_destroy_refuses_to_take_the_archive_and_the_records() -> None:
    for name in ("archive.tf", "records.tf"):
        assert re.search(r"lifecycle \{\s+prevent_destroy = true\s+\}", TEXTS[name]), name


def test_the_example_fills_in_five_values_and_every_variable_that_has_no_default() -> None:
    example = (FOLDER / "terraform.tfvars.example").read_text(encoding="utf-8")
    variables = "\n".join(text for name, text in TEXTS.items() if name.startswith("variables"))
    blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', variables, re.M | re.S)
    needed = {name for name, block in blocks if not re.search(r"^  default +=", block, re.M)}
    assert set(re.findall(r"^(\w+) +=", example, re.M)) == needed
    assert len(re.findall(r'"[^"]+"', example)) == 5


def test_the_readmes_tables_are_those_of_the_configuration() -> None:
    assert tables.put_in(README) == README


def test_every_variable_and_every_attribute_says_what_it_means() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| .* \| (.*) \|$", tables.variables(), re.M)
    assert len(rows) > 70
    assert [name for name, meaning in rows if len(meaning) < 8] == []


def test_the_root_hands_every_variable_to_the_module_and_every_output_out() -> None:
    declared = re.findall(r'^variable "(\w+)"', "\n".join(TEXTS.values()), re.M)
    handed = re.findall(r"^  (\w+) += var\.\1$", (FOLDER / "main.tf").read_text(encoding="utf-8"), re.M)
    assert sorted(handed) == sorted(declared)
    for name in ("variables.tf", "variables_keeping.tf"):
        assert (FOLDER / name).read_text(encoding="utf-8") == TEXTS[name]
    outputs = re.findall(r'^output "(\w+)" \{\n.*\n  value +=', TEXTS["outputs.tf"], re.M)
    assert re.findall(r"= module\.share\.(\w+)$", (FOLDER / "outputs.tf").read_text(encoding="utf-8"), re.M) == outputs


def test_dbt_and_terraform_put_the_dataset_in_one_place_by_default() -> None:
    (region,) = re.findall(r'^variable "region" \{\n.*\n.*\n  default += "(.*)"', TEXTS["variables.tf"], re.M)
    profiles = (FOLDER.parent / "dbt" / "profiles.yml").read_text(encoding="utf-8")
    assert f"env_var('BIGQUERY_LOCATION', '{region}')" in profiles


def test_the_lock_file_is_not_ignored() -> None:
    assert ".terraform.lock.hcl" not in (FOLDER.parent / ".gitignore").read_text(encoding="utf-8")


def test_every_exception_from_checkov_has_a_reason() -> None:
    exceptions = re.findall(r"checkov:skip=(\w+):?(.*)", "\n".join(TEXTS.values()))
    assert exceptions
    assert all(len(reason.split()) >= 5 for _, reason in exceptions)
