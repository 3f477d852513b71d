"""ODCS YAML -> Dataset: what is read, how it is checked, and what its file is called.

A contract is an Open Data Contract Standard v3 document with one schema object. What ODCS has a word for is said in its
words (required, primaryKey, pattern, enum, physicalType ...); what it has none for stands in the schema object's
`customProperties` (PROPERTIES below) and in a column's (column_reader.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml
from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty
from pydantic import ValidationError

from pipeline.contracts import condition, file_names
from pipeline.contracts.column_reader import ColumnReader, custom
from pipeline.contracts.dataset import Column, Dataset, Policy, Reads, Total, Unshared
from pipeline.contracts.promise import promise
from pipeline.errors import ContractInvalid
from pipeline.window import Window

PROPERTIES: Final = (
    "changeColumn",
    "filter",
    "watermark",
    "controlTotals",
    "fileName",
    "emptyWindow",
    "partnerReads",
    "formulas",
    "nul",
    "series",
    "firstHour",
    "endsAt",
)


def load(directory: Path) -> Mapping[str, Dataset]:
    """Every contract in the directory by dataset name. Raises ContractInvalid with all problems of all files."""
    contracts: dict[str, Dataset] = {}
    names: dict[str, Dataset] = {}
    problems: list[str] = []
    files = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")])
    if not files:
        raise ContractInvalid(f"There is no contract (*.yaml) in {directory}.")
    for file in files:
        try:
            dataset = read(file.read_text(encoding="utf-8"), where=file.name)
        except ContractInvalid as error:
            problems.append(error.message)
            continue
        if dataset.series in contracts:
            problems.append(
                f"{file.name}: there is another contract for {dataset.series}; two that run beside each other need a "
                "series each"
            )
            continue
        names[file.name] = dataset
        contracts[dataset.series] = dataset
    problems += file_names.clashes(names)
    if problems:
        raise ContractInvalid("\n".join(problems))
    return contracts


def read(text: str, *, where: str) -> Dataset:
    """The dataset that one contract describes. Raises ContractInvalid with every problem, each with its place."""
    try:
        raw = yaml.safe_load(text)
        contract = OpenDataContractStandard(**raw)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ContractInvalid(f"{where}{line}: this is not YAML") from None
    except TypeError:
        raise ContractInvalid(f"{where}: this is not a data contract, but {type(raw).__name__}") from None
    except ValidationError as error:
        lines = [f"{where}: {'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ContractInvalid("\n".join(lines)) from None
    reader = _Reader(where)
    dataset = reader.dataset(contract, raw, text)
    if reader.problems or dataset is None:
        raise ContractInvalid("\n".join(reader.problems))
    return dataset


class _Reader(ColumnReader):
    """Reads one contract and gathers what is wrong with it instead of stopping at the first."""

    def dataset(self, contract: OpenDataContractStandard, raw: Mapping[str, Any], text: str) -> Dataset | None:
        if contract.kind != "DataContract" or not str(contract.apiVersion).startswith("v3."):
            self.wrong("kind, apiVersion", "must be DataContract and v3.x")
        schemas = contract.schema_ or []
        if len(schemas) != 1:
            self.wrong("schema", f"must hold one object, the table; it holds {len(schemas)}")
            return None
        schema, place = schemas[0], "schema[0]"
        self.no_strangers(raw["schema"][0], SchemaObject, place)
        name = self.identifier(contract.name or schema.name, "name")
        table = self.identifier(schema.physicalName or schema.name, f"{place}.physicalName")
        properties = schema.properties or []
        for number, (entry, given) in enumerate(zip(properties, raw["schema"][0].get("properties") or [], strict=True)):
            self.no_strangers(given, SchemaProperty, f"{place}.properties[{number}] {entry.name}")
            self.own_properties(entry, f"{place}.{entry.name}.customProperties")
        shared = [entry for entry in properties if custom(entry).get("shared", True) is not False]
        columns = tuple(filter(None, (self.column(entry, f"{place}.{entry.name}") for entry in shared)))
        names = [column.name for column in columns]
        for repeated in sorted({name for name in names if names.count(name) > 1}):
            self.wrong(f"{place}.{repeated}", "the column stands twice")
        keys = sorted((entry for entry in shared if entry.primaryKey), key=lambda entry: entry.primaryKeyPosition or 1)
        if not keys:
            self.wrong(f"{place}.properties", "no column has primaryKey: true")
        for entry in keys:
            if not entry.required:
                self.wrong(f"{place}.{entry.name}", "a key column must be required: true")
            if str(entry.physicalType).upper() == "JSON":
                self.wrong(f"{place}.{entry.name}", "JSON cannot be compared, so it cannot be a key; use a STRING")
        own = custom(schema)
        for stranger in sorted(set(own) - set(PROPERTIES)):
            self.wrong(f"{place}.customProperties", f"{stranger} is not one of {', '.join(PROPERTIES)}")
        by_name = {column.name: column for column in columns}
        return Dataset(
            name=name,
            version=self.version(contract.version),
            table=table,
            columns=columns,
            key=tuple(str(entry.name) for entry in keys),
            change=self.change(own.get("changeColumn"), by_name, f"{place}.changeColumn"),
            filter=self.condition(own.get("filter"), f"{place}.filter"),
            watermark=self.watermark(own.get("watermark"), f"{place}.watermark"),
            totals=self.totals(own.get("controlTotals"), by_name, f"{place}.controlTotals"),
            file_name=self.file_name(own.get("fileName"), f"{place}.fileName"),
            empty_file=self.empty(own.get("emptyWindow"), f"{place}.emptyWindow"),
            partner_reads=self.reads(own.get("partnerReads"), f"{place}.partnerReads"),
            formulas=self.policy(own.get("formulas", "pass"), f"{place}.formulas"),
            nul=self.policy(own.get("nul", "refuse"), f"{place}.nul"),
            series_name=self.series(own.get("series"), own.get("firstHour"), f"{place}.series"),
            starts=self.hour(own.get("firstHour"), f"{place}.firstHour"),
            ends=self.hour(own.get("endsAt"), f"{place}.endsAt"),
            promise=promise(contract.slaProperties or [], self.wrong),
            unshared=tuple(
                Unshared(str(entry.physicalName or entry.name), str(entry.physicalType))
                for entry in properties
                if entry not in shared
            ),
            text=text,
        )

    def no_strangers(self, given: object, model: type[SchemaObject] | type[SchemaProperty], place: str) -> None:
        if isinstance(given, dict):
            known = set(model.model_fields) | {field.alias for field in model.model_fields.values()}
            for stranger in sorted(str(key) for key in set(given) - known):
                self.wrong(place, f"{stranger} is not a field of ODCS; is it misspelt?")

    def version(self, value: str | None) -> str:
        if not re.fullmatch(r"\d{1,6}\.\d{1,6}\.\d{1,6}", value or "", re.ASCII):
            self.wrong("version", f"{value!r} is not a version of three numbers such as 1.2.3")
        return value or ""

    def condition(self, value: object, place: str) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            self.wrong(place, "must be one SQL condition on the table's columns")
        elif (what := condition.problem(value)) is not None:
            self.wrong(place, f"{value!r} {what}")
        return str(value)

    def watermark(self, value: object, place: str) -> str | None:
        if value is None:
            self.wrong(place, "is missing: name the watermark table, or none where the table has no watermark")
            return None
        return None if value == "none" else self.identifier(str(value), place)

    def change(self, value: object, columns: Mapping[str, Column], place: str) -> str:
        column = columns.get(str(value))
        if column is None or column.type != "TIMESTAMP" or not column.required:
            self.wrong(place, f"{value!r} must be a shared, required TIMESTAMP column")
        return str(value)

    def totals(self, value: object, columns: Mapping[str, Column], place: str) -> tuple[Total, ...]:
        totals: list[Total] = []
        for entry in value if isinstance(value, list) else [value] if value is not None else []:
            match = re.fullmatch(r"(sum|min|max)\((\w+)\)", str(entry))
            column = columns.get(match[2]) if match else None
            numeric = column is not None and column.type in ("INT64", "NUMERIC", "BIGNUMERIC")
            if match is None or column is None:
                self.wrong(place, f"{entry!r} is not sum(column), min(column) or max(column) of a shared column")
            elif not (numeric or (match[1] != "sum" and column.type in ("DATE", "TIMESTAMP"))):
                self.wrong(place, f"{entry!r}: {column.name} is {column.type}")
            else:
                totals.append(Total(match[1], column.name))  # type: ignore[arg-type]  # the pattern admits just these
        return tuple(totals)

    def file_name(self, value: object, place: str) -> str:
        problem = file_names.problem(None if value is None else str(value))
        if problem is not None:
            self.wrong(place, problem)
        return str(value)

    def empty(self, value: object, place: str) -> bool:
        if value not in (None, "record", "file"):
            self.wrong(place, f"{value!r} must be record (nothing is sent) or file (a file with the header alone)")
        return value == "file"

    def series(self, value: object, first: object, place: str) -> str | None:
        if value is None:
            return None
        if first is None:
            self.wrong(place, "needs a firstHour: else every hour of the look-back is sent once more under it")
        return self.identifier(str(value), place)

    def hour(self, value: object, place: str) -> datetime | None:
        if value is None:
            return None
        try:
            instant = datetime.fromisoformat(str(value))
            return Window.hour(instant).start
        except ValueError:
            self.wrong(place, f"{value!r} must be a full hour in UTC, such as 2026-12-01T00:00:00Z")
            return None

    def policy(self, value: object, place: str) -> Policy:
        if value == "pass" or value == "refuse" or value == "escape":
            return value
        self.wrong(place, f"{value!r} must be pass, refuse or escape")
        return "refuse"

    def reads(self, value: object, place: str) -> Reads:
        if value is None or value == "name" or value == "position":
            return value
        self.wrong(place, f"{value!r} must be name or position: how the partner finds a column in the file")
        return None
