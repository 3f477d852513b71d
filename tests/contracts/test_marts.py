"""The marts' properties and the contracts are one truth."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from localcloud.dbt import PROJECT, ROOT


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("from_contracts", PROJECT / "from_contracts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_marts_properties_are_what_the_contracts_say_now(generator: ModuleType) -> None:
    written: dict[Path, str] = generator.rendered()
    assert {path: path.read_text(encoding="utf-8") for path in (PROJECT / "models" / "marts").glob("*.yml")} == written


def test_every_rule_of_a_contract_is_one_that_rows_are_judged_by(generator: ModuleType) -> None:
    for path in sorted((ROOT / "pipeline" / "contracts").glob("*.yaml")):
        contract: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        (model,) = generator.properties(contract)["models"]
        rules = model["config"]["meta"]["rules"]
        counted = sum(len(rule) - 1 for rule in rules)
        columns = contract["schema"][0]["properties"]
        assert counted == sum(len(column.get("logicalTypeOptions", {})) + ("enum" in column) for column in columns)


def test_a_mart_that_two_contracts_read_has_the_columns_and_rules_of_both(
    generator: ModuleType, tmp_path: Path
) -> None:
    """For the time that a breaking change runs beside the old contract."""
    text = (ROOT / "pipeline" / "contracts" / "payments.yaml").read_text(encoding="utf-8")
    (tmp_path / "payments.yaml").write_text(text)
    later = (
        text.replace("version: 1.0.1", "version: 2.0.0")
        .replace("name: reference", "name: remittance")
        .replace("Name: reference", "Name: remittance")
    )
    later = later.replace("maxLength: 500", "maxLength: 140")
    (tmp_path / "payments_v2.yaml").write_text(later)
    (body,) = generator.rendered(tmp_path).values()
    (model,) = yaml.safe_load(body)["models"]
    names = [column["name"] for column in model["columns"]]
    assert names.index("remittance") < names.index("updated_at") < names.index("reference") == len(names) - 1
    rules = [rule for rule in model["config"]["meta"]["rules"] if rule["column"] in ("reference", "remittance")]
    assert rules == [{"column": "remittance", "max_length": 140}, {"column": "reference", "max_length": 500}]


def test_a_rule_that_no_data_test_can_check_is_refused(generator: ModuleType) -> None:
    with pytest.raises(ValueError, match="column rate: no data test for the contract's option multipleOf"):
        generator.rule({"name": "rate", "logicalTypeOptions": {"multipleOf": 5}})


def test_a_column_of_another_name_in_the_file_keeps_the_warehouses_in_the_mart(generator: ModuleType) -> None:
    text = (ROOT / "pipeline" / "contracts" / "payments.yaml").read_text(encoding="utf-8")
    contract = yaml.safe_load(text)
    renamed = text.replace("- name: updated_at", "- name: changed").replace("(updated_at)", "(changed)")
    renamed = renamed.replace("value: updated_at", "value: changed").replace("- name: payment_id", "- name: id")
    renamed = renamed.replace("- name: reference", "- name: remittance")
    assert generator.properties(yaml.safe_load(renamed)) == generator.properties(contract)
