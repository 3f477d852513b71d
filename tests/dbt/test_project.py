"""The project by the rules of dbt Labs' dbt_project_evaluator 1.3 and of the contracts: no exception without a reason.

The package is no dependency: dbt fetches it from GitHub. Its rules are read from the manifest here; the exceptions
stand in its own format, so that they hold for the package too.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from localcloud.dbt import PROGRAM, PROJECT, ROOT, environment, options, run
from localcloud.warehouses import DuckDBFile
from tests.dbt.conftest import Run
from tests.dbt.state import KEYS

EXCEPTIONS: Final = PROJECT / "evaluator" / "dbt_project_evaluator_exceptions.csv"
FANOUT, JOINS = 3, 7
"""From so many on the package warns: its variables models_fanout_threshold and too_many_joins_threshold."""

Node = dict[str, Any]


class Manifest:
    """What dbt makes of the project."""

    def __init__(self, content: dict[str, Any]) -> None:
        nodes = content["nodes"].values()
        self.models: list[Node] = [node for node in nodes if node["resource_type"] == "model"]
        self.tests: list[Node] = [node for node in nodes if node["resource_type"] == "test"]
        self.sources: list[Node] = list(content["sources"].values())
        self.exposures: list[Node] = list(content["exposures"].values())
        self.unit_tests: list[Node] = list(content["unit_tests"].values())
        self.named: dict[str, Node] = {node["unique_id"]: node for node in (*nodes, *self.sources)}
        self.children: dict[str, list[str]] = content["child_map"]

    def parents(self, model: Node) -> list[Node]:
        """The models and sources that a model names."""
        return [self.named[name] for name in sorted(set(model["depends_on"]["nodes"]))]

    def below(self, parent: Node) -> list[Node]:
        """The models that name this one."""
        found = [self.named.get(name, {}) for name in self.children[parent["unique_id"]]]
        return [node for node in found if node.get("resource_type") == "model"]

    def key_is_tested(self, model: Node) -> bool:
        """Whether a column is tested to be unique and never null, or columns to be unique together."""
        tests = [
            test.get("test_metadata") or {} for test in self.tests if model["unique_id"] in test["depends_on"]["nodes"]
        ]
        by_column = {(test.get("kwargs", {}).get("column_name"), test.get("name")) for test in tests}
        return any((column, "not_null") in by_column for column, name in by_column if name == "unique") or any(
            test.get("name") == "unique_combination_of_columns" for test in tests
        )


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    place = tmp_path_factory.mktemp("manifest")
    warehouse = DuckDBFile(place / "psp.duckdb")
    command = [str(PROGRAM), "parse", *options(warehouse, PROJECT, place)]
    subprocess.run(command, env=environment(warehouse), check=True, capture_output=True)
    return Manifest(json.loads((place / "manifest.json").read_text(encoding="utf-8")))


def layer(model: Node) -> str:
    """The folder right under `models`."""
    return str(model["fqn"][1])


def _is(node: Node, *kinds: str) -> bool:
    return node["resource_type"] in kinds


def _depends_on(m: Manifest, layers: tuple[str, ...], on: Callable[[Node], bool]) -> set[str]:
    return {model["name"] for model in m.models if layer(model) in layers and any(map(on, m.parents(model)))}


def _in_layer(*names: str) -> Callable[[Node], bool]:
    return lambda node: _is(node, "model") and layer(node) in names


def _rejoined(m: Manifest) -> set[str]:
    """Parents whose child's only other child is also their own, where the one between leads nowhere else."""
    found = set()
    for parent in m.models:
        children = m.below(parent)
        for between in children:
            onward = m.below(between)
            if len(m.children[between["unique_id"]]) and len(onward) == 1 and onward[0] in children:
                found.add(parent["name"])
    return found


def _prefix_is_wrong(model: Node) -> bool:
    prefixes = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("fct_", "dim_")}
    return not model["name"].startswith(prefixes.get(layer(model), ("rpt_",)))


def _directory_is_wrong(m: Manifest, model: Node) -> bool:
    """Staging lies in a folder of its source, everything else in that of its layer."""
    path = Path(model["original_file_path"])
    if layer(model) == "staging":
        return path.parent.name not in {node["source_name"] for node in m.parents(model)}
    return path.parts[1] != layer(model)


RULES: Final[dict[str, Callable[[Manifest], set[str]]]] = {
    "fct_direct_join_to_source": lambda m: {
        one["name"] for one in m.models if {"model", "source"} <= {p["resource_type"] for p in m.parents(one)}
    },
    "fct_duplicate_sources": lambda m: {
        place for place, times in Counter(one["relation_name"] for one in m.sources).items() if times > 1
    },
    "fct_hard_coded_references": lambda m: {
        one["name"] for one in m.models if re.search(r"\b(from|join)\s+[`\"\w-]+\.[`\"\w-]+", one["raw_code"], re.I)
    },
    "fct_marts_or_intermediate_dependent_on_source": lambda m: _depends_on(
        m, ("marts", "intermediate", "operations"), lambda node: _is(node, "source")
    ),
    "fct_model_fanout": lambda m: {
        one["name"] for one in m.models if sum(not m.below(child) for child in m.below(one)) >= FANOUT
    },
    "fct_multiple_sources_joined": lambda m: {
        one["name"] for one in m.models if sum(_is(parent, "source") for parent in m.parents(one)) > 1
    },
    "fct_rejoining_of_upstream_concepts": _rejoined,
    "fct_root_models": lambda m: {one["name"] for one in m.models if not m.parents(one)},
    "fct_source_fanout": lambda m: {one["name"] for one in m.sources if len(m.below(one)) > 1},
    "fct_staging_dependent_on_marts_or_intermediate": lambda m: _depends_on(
        m, ("staging",), _in_layer("marts", "intermediate")
    ),
    "fct_staging_dependent_on_staging": lambda m: _depends_on(m, ("staging",), _in_layer("staging")),
    "fct_too_many_joins": lambda m: {one["name"] for one in m.models if len(m.parents(one)) >= JOINS},
    "fct_unused_sources": lambda m: {one["name"] for one in m.sources if not m.below(one)},
    "fct_missing_primary_key_tests": lambda m: {one["name"] for one in m.models if not m.key_is_tested(one)},
    "fct_sources_without_freshness": lambda m: {one["name"] for one in m.sources if not one["freshness"]},
    "fct_undocumented_models": lambda m: {one["name"] for one in m.models if not one["description"]},
    "fct_undocumented_sources": lambda m: {one["name"] for one in m.sources if not one["source_description"]},
    "fct_undocumented_source_tables": lambda m: {one["name"] for one in m.sources if not one["description"]},
    "fct_model_naming_conventions": lambda m: {one["name"] for one in m.models if _prefix_is_wrong(one)},
    "fct_model_directories": lambda m: {one["name"] for one in m.models if _directory_is_wrong(m, one)},
    "fct_source_directories": lambda m: {
        one["name"] for one in m.sources if Path(one["original_file_path"]).parent.name != one["source_name"]
    },
    "fct_test_directories": lambda m: {
        one["name"]
        for one in m.unit_tests
        if Path(one["original_file_path"]).parent
        != Path(m.named[one["depends_on"]["nodes"][0]]["original_file_path"]).parent
    },
    "fct_chained_views_dependencies": lambda m: {
        one["name"] for one in m.models if one["config"]["materialized"] in ("view", "ephemeral")
    },
    "fct_exposure_parents_materializations": lambda m: {
        name
        for exposure in m.exposures
        for name in exposure["depends_on"]["nodes"]
        if m.named[name]["config"].get("materialized") not in ("table", "incremental")
    },
    "fct_public_models_without_contract": lambda m: {
        one["name"] for one in m.models if one["access"] == "public" and not one["contract"]["enforced"]
    },
    "fct_undocumented_public_models": lambda m: {
        one["name"]
        for one in m.models
        if one["access"] == "public" and not all(column["description"] for column in one["columns"].values())
    },
    "fct_exposures_dependent_on_private_models": lambda m: {
        name
        for exposure in m.exposures
        for name in exposure["depends_on"]["nodes"]
        if m.named[name]["access"] != "public"
    },
}
"""The package's rules by the names of its models; each gives what it would warn of."""


@pytest.mark.parametrize("rule", RULES)
def test_the_project_keeps_each_rule_of_the_evaluator_or_says_why_not(manifest: Manifest, rule: str) -> None:
    with EXCEPTIONS.open(encoding="utf-8", newline="") as file:
        said = [row for row in csv.DictReader(file) if row["fct_name"] == rule]
    assert all(row["comment"] for row in said)
    patterns = [row["id_to_exclude"].replace("%", "*") for row in said]
    found = RULES[rule](manifest)
    assert {name for name in found if not any(fnmatch(name, pattern) for pattern in patterns)} == set()
    assert [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in found)] == []


def test_every_exception_is_of_a_rule() -> None:
    with EXCEPTIONS.open(encoding="utf-8", newline="") as file:
        assert {row["fct_name"] for row in csv.DictReader(file)} <= set(RULES)


def test_every_model_names_what_it_reads_at_its_head() -> None:
    """Import CTEs: `select * from {{ ref() }}`, by itself. What only chooses partitions stands in a statement."""
    for file in (PROJECT / "models").rglob("*.sql"):
        text = re.sub(r"\{%.*?%\}|\{\{\s*config.*?\}\}", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        read = re.findall(r"^(.*\b(?:from|join)\s+\{\{\s*(?:ref|source)\(.*)$", text, re.MULTILINE)
        assert [line for line in read if not re.fullmatch(r"    select \* from \{\{ .* \}\}", line)] == [], file


def test_only_what_the_function_reads_is_public_and_the_exposure_names_it(manifest: Manifest) -> None:
    public = {one["name"] for one in manifest.models if one["access"] == "public"}
    assert public == {*KEYS, "quarantine"}
    assert {one["name"] for one in manifest.models if one["access"] == "private"} == {
        one["name"] for one in manifest.models
    } - public
    assert all(one["group"] for one in manifest.models)
    (share,) = [one for one in manifest.exposures if one["name"] == "amazon_pspp_data_share"]
    assert {name.rpartition(".")[2] for name in share["depends_on"]["nodes"]} == public


def test_every_column_of_every_table_is_described_and_no_other(
    manifest: Manifest, runs: list[Run], tmp_path: Path
) -> None:
    held: dict[str, set[str]] = {}
    columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema LIKE 'amazon_pspp%'"
    for row in runs[-1].copy(tmp_path).rows(columns).to_dicts():
        held.setdefault(row["table_name"], set()).add(row["column_name"])
    for model in manifest.models:
        assert set(model["columns"]) == held[model["name"]], model["name"]
        assert all(column["description"] and column["data_type"] for column in model["columns"].values()), model["name"]
    for source in manifest.sources:
        assert all(column["description"] for column in source["columns"].values()), source["name"]


def test_what_is_judged_and_published_is_described_as_the_contract_does(manifest: Manifest) -> None:
    models = {model["name"]: model for model in manifest.models}
    for name in KEYS:
        contract = yaml.safe_load((ROOT / "pipeline" / "contracts" / f"{name}.yaml").read_text(encoding="utf-8"))
        said = {column["name"]: column["description"] for column in contract["schema"][0]["properties"]}
        for model in (models[name], models[f"int_{name}__changes"]):
            told = {column: one["description"] for column, one in model["columns"].items() if column in said}
            assert told == {column: said[column] for column in told}
            assert set(said) - set(told) <= {"updated_at", "in_program"}


def test_policy_tags_follow_the_classification_where_the_variable_names_them_and_are_off_otherwise() -> None:
    text = (PROJECT / "models" / "marts" / "identity.yml").read_text(encoding="utf-8")
    (model,) = yaml.safe_load(text)["models"]
    for column in model["columns"]:
        assert f"'{column['config']['meta']['classification']}'" in column["policy_tags"]
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["vars"]["policy_tags"] == {}


def test_the_rules_of_who_is_shared_hold_for_rows_that_try_each(runs: list[Run], tmp_path: Path) -> None:
    printed = run(runs[0].copy(tmp_path), "test", "--select", "test_type:unit")
    assert len(re.findall("PASS [a-z]+_+[a-z_]+::", printed)) == len(re.findall("START unit_test", printed)) > 15


def test_dbts_documents_are_made_without_a_warning(runs: list[Run], tmp_path: Path) -> None:
    printed = run(runs[0].copy(tmp_path), "docs", "generate")
    assert "Catalog written to" in printed
    assert "WARN" not in printed.upper()
