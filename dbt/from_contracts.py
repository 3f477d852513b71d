"""Writes the properties of the marts (`models/marts/*.yml`) from the contracts that the function checks rows against.

`python dbt/from_contracts.py` writes the files; they are checked in, and a test compares them with the contracts. What
follows from a contract: columns with their types, which of them may be null and which are not shared, the key, the
partition and clustering, the change and filter columns, and the data tests. The types are BigQuery's; DuckDB knows them
under the same names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
CONTRACTS = HERE.parent / "pipeline" / "contracts"
MARTS = HERE / "models" / "marts"
RULES = {
    "pattern": "matches",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minimum": "minimum",
    "maximum": "maximum",
}
PARTITION = (  # dbt-duckdb reads the same option, and refuses this value
    "{{ ({'field': 'COLUMN', 'data_type': 'timestamp', 'granularity': 'hour'} if target.type == 'bigquery' else none)"
    " | as_native }}"
)
POLICY_TAGS = (  # by classification, where the variable names a tag for it
    "{{ ([var('policy_tags')['CLASSIFICATION']] if 'CLASSIFICATION' in var('policy_tags') else []) | as_native }}"
)
HEADER = (
    "# Written by `python dbt/from_contracts.py` from pipeline/contracts/{name}.yaml: "
    "change the contract, not this file.\n"
)


class _Indented(yaml.SafeDumper):
    """Lists indented under their key, as the hand-written files have them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def rule(column: dict[str, Any]) -> dict[str, Any] | None:
    """The rule of the test keeps_contract for one column, or None. Raises ValueError for an option without a test."""
    found: dict[str, Any] = {}
    if "enum" in column:
        found["one_of"] = [one["value"] for one in column["enum"]]
    for option, value in column.get("logicalTypeOptions", {}).items():
        if option not in RULES:
            raise ValueError(f"column {column['name']}: no data test for the contract's option {option}")
        found[RULES[option]] = value
    return {"column": column["name"], **found} if found else None


def described(column: dict[str, Any], never_null: set[str]) -> dict[str, Any]:
    """One column's properties."""
    found = {"name": column["name"], "description": column["description"], "data_type": column["physicalType"].lower()}
    if column["name"] in never_null:
        found["constraints"] = [{"type": "not_null"}]
    meta: dict[str, Any] = {}
    if column.get("required"):
        meta["required"] = True
    if {"property": "shared", "value": False} in column.get("customProperties", []):
        meta["shared"] = False
    if "classification" in column:
        meta["classification"] = column["classification"]
        found["policy_tags"] = POLICY_TAGS.replace("CLASSIFICATION", column["classification"])
    return found | ({"config": {"meta": meta}} if meta else {})


def properties(contract: dict[str, Any]) -> dict[str, Any]:
    """The dbt properties file of one contract, which describes exactly one table."""
    (table,) = contract["schema"]
    columns: list[dict[str, Any]] = [
        column | {"name": column.get("physicalName", column["name"])} for column in table["properties"]
    ]
    source = {given["name"]: column["name"] for given, column in zip(table["properties"], columns, strict=True)}
    own = {one["property"]: one["value"] for one in table["customProperties"]}
    in_key = sorted((c for c in columns if c.get("primaryKey")), key=lambda c: c["primaryKeyPosition"])
    key = [column["name"] for column in in_key]
    (partition,) = [column["name"] for column in columns if column.get("partitioned")]
    rules = [found for column in columns if (found := rule(column))]
    config = {
        "contract": {"enforced": True},
        "partition_by": PARTITION.replace("COLUMN", partition),
        "cluster_by": key,
        "meta": {
            "contract": contract["id"],
            "key": key,
            "change_column": source[own["changeColumn"]],
            "filter_column": own["filter"],
            "rules": rules,
        },
    }
    test = {"name": f"{table['name']}_key_is_unique_in_open_hours", "arguments": {"dataset": table["name"]}}
    # A row that says that a record has left needs no more than these.
    never_null = {*key, source[own["changeColumn"]], own["filter"]}
    model = {
        "name": table["name"],
        "description": table["description"],
        "config": config,
        "data_tests": [{"unique_in_open_hours": test}],
        "columns": [described(column, never_null) for column in columns],
    }
    return {"version": 2, "models": [model]}


def side_by_side(contracts: list[dict[str, Any]]) -> dict[str, Any]:
    """The properties of a table that several contracts read for a time: what the latest says, and what others need.

    Columns that the latest leaves out stay, may be null, and a row has to keep the rules of all.
    """
    latest, *others = sorted(contracts, key=lambda one: [int(number) for number in one["version"].split(".")])[::-1]
    whole = properties(latest)
    (model,) = whole["models"]
    rules = model["config"]["meta"]["rules"]
    for other in others:
        (earlier,) = properties(other)["models"]
        names = {column["name"] for column in model["columns"]}
        for column in earlier["columns"]:
            if column["name"] not in names:
                model["columns"].append({key: said for key, said in column.items() if key != "constraints"})
        rules += [said for said in earlier["config"]["meta"]["rules"] if said not in rules]
    return whole


def rendered(directory: Path = CONTRACTS) -> dict[Path, str]:
    """Path and text of every file that the contracts call for."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(directory.glob("*.yaml")):
        contract = yaml.safe_load(path.read_text(encoding="utf-8"))
        tables.setdefault(contract["name"], []).append(contract)
    files = {}
    for name, contracts in tables.items():
        body = yaml.dump(side_by_side(contracts), Dumper=_Indented, sort_keys=False, allow_unicode=True, width=140)
        files[MARTS / f"{name}.yml"] = HEADER.format(name=name) + body
    return files


def main() -> None:
    for path, text in rendered().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    main()
