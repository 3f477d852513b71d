"""What the text of the configuration promises by itself, without Terraform."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pipeline.log import ALERTS
from pipeline.settings import Settings

FOLDER: Final = Path(__file__).parents[2] / "terraform"
TEXTS: Final = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.tf")}
README: Final = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_environment_is_the_fields_of_the_settings() -> None:
    written = re.findall(r"^ +([A-Z_]+) += ", TEXTS["settings.tf"], re.M)
    read = [name.upper() for name in Settings.model_fields if not name.endswith("_emulator_host")]
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


def test_the_readme_explains_every_variable_and_every_output() -> None:
    named = re.findall(r'^(?:variable|output) "(\w+)"', "\n".join(TEXTS.values()), re.M)
    assert len(named) > 20
    assert [name for name in named if f"`{name}`" not in README] == []


def test_every_exception_from_checkov_has_a_reason() -> None:
    exceptions = re.findall(r"checkov:skip=(\w+):?(.*)", "\n".join(TEXTS.values()))
    assert exceptions
    assert all(len(reason.split()) >= 5 for _, reason in exceptions)
