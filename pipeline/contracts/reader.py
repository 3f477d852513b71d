"""ODCS YAML -> Dataset: what is read, how it is checked, and what its file is called.

A contract is an Open Data Contract Standard v3 document with one schema object. What ODCS has a word for is said in its
words (required, primaryKey, pattern, enum, physicalType ...); what it has none for stands in the schema object's
`customProperties` (changeColumn, filter, watermark, controlTotals, fileName, emptyWindow, partnerReads) and in a
column's: `shared: false` where the warehouse has the column and the partner must not get it, `unit` for what its values
are counted in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty
from pydantic import ValidationError

from pipeline.contracts import condition, file_names, type_parameters
from pipeline.contracts.dataset import LARGEST_SCALE, NUMBERS, TYPES, Column, Dataset, Reads, Total
from pipeline.errors import ContractInvalid

IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
PROPERTIES: Final = ("changeColumn", "filter", "watermark", "controlTotals", "fileName", "emptyWindow", "partnerReads")
COLUMN_PROPERTIES: Final = ("shared", "unit")
OPTIONS: Final = ("pattern", "minLength", "maxLength", "minimum", "maximum")


def load(directory: Path) -> Mapping[str, Dataset]:
    """Every contract in the directory by dataset name. Raises ContractInvalid with all problems of all files."""
    found: dict[str, Dataset] = {}
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
        if dataset.name in found:
            problems.append(f"{file.name}: there is another contract for {dataset.name}")
            continue
        names[file.name] = dataset
        found[dataset.name] = dataset
    problems += file_names.clashes(names)
    if problems:
        raise ContractInvalid("\n".join(problems))
    return found


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


class _Reader:
    """Reads one contract and gathers what is wrong with it instead of stopping at the first."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[str] = []

    def wrong(self, place: str, what: str) -> None:
        self.problems.append(f"{self.where}: {place}: {what}")

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
        shared = [entry for entry in properties if _custom(entry).get("shared", True) is not False]
        columns = tuple(filter(None, (self.column(entry, f"{place}.{entry.name}") for entry in shared)))
        names = [column.name for column in columns]
        for twin in sorted({one for one in names if names.count(one) > 1}):
            self.wrong(f"{place}.{twin}", "the column stands twice")
        keys = sorted((entry for entry in shared if entry.primaryKey), key=lambda entry: entry.primaryKeyPosition or 1)
        if not keys:
            self.wrong(f"{place}.properties", "no column has primaryKey: true")
        for entry in keys:
            if not entry.required:
                self.wrong(f"{place}.{entry.name}", "a key column must be required: true")
            if str(entry.physicalType).upper() == "JSON":
                self.wrong(f"{place}.{entry.name}", "JSON cannot be compared, so it cannot be a key; use a STRING")
        custom = _custom(schema)
        for stranger in sorted(set(custom) - set(PROPERTIES)):
            self.wrong(f"{place}.customProperties", f"{stranger} is not one of {', '.join(PROPERTIES)}")
        by_name = {column.name: column for column in columns}
        return Dataset(
            name=name,
            version=self.version(contract.version),
            table=table,
            columns=columns,
            key=tuple(str(entry.name) for entry in keys),
            change=self.change(custom.get("changeColumn"), by_name, f"{place}.changeColumn"),
            filter=self.condition(custom.get("filter"), f"{place}.filter"),
            watermark=self.watermark(custom.get("watermark"), f"{place}.watermark"),
            totals=self.totals(custom.get("controlTotals"), by_name, f"{place}.controlTotals"),
            file_name=self.file_name(custom.get("fileName"), f"{place}.fileName"),
            empty_file=self.empty(custom.get("emptyWindow"), f"{place}.emptyWindow"),
            partner_reads=self.reads(custom.get("partnerReads"), f"{place}.partnerReads"),
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

    def own_properties(self, entry: SchemaProperty, place: str) -> None:
        """A misspelt `shared` would disclose the column, so nothing unknown may stand there."""
        custom = _custom(entry)
        for stranger in sorted(set(custom) - set(COLUMN_PROPERTIES)):
            self.wrong(place, f"{stranger} is not one of {', '.join(COLUMN_PROPERTIES)}")
        if not isinstance(custom.get("shared", True), bool):
            self.wrong(place, f"shared: {custom['shared']!r} must be true or false")

    def identifier(self, value: str | None, place: str) -> str:
        if not IDENTIFIER.fullmatch(value or ""):
            self.wrong(place, f"{value!r} is not a name of letters, digits and underscores")
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
        found: list[Total] = []
        for entry in value if isinstance(value, list) else [value] if value is not None else []:
            match = re.fullmatch(r"(sum|min|max)\((\w+)\)", str(entry))
            column = columns.get(match[2]) if match else None
            numeric = column is not None and column.type in ("INT64", "NUMERIC", "BIGNUMERIC")
            if match is None or column is None:
                self.wrong(place, f"{entry!r} is not sum(column), min(column) or max(column) of a shared column")
            elif not (numeric or (match[1] != "sum" and column.type in ("DATE", "TIMESTAMP"))):
                self.wrong(place, f"{entry!r}: {column.name} is {column.type}")
            else:
                found.append(Total(match[1], column.name))  # type: ignore[arg-type]  # the pattern admits just these
        return tuple(found)

    def file_name(self, value: object, place: str) -> str:
        problem = file_names.problem(None if value is None else str(value))
        if problem is not None:
            self.wrong(place, problem)
        return str(value)

    def empty(self, value: object, place: str) -> bool:
        if value not in (None, "record", "file"):
            self.wrong(place, f"{value!r} must be record (nothing is sent) or file (a file with the header alone)")
        return value == "file"

    def reads(self, value: object, place: str) -> Reads:
        if value is None or value == "name" or value == "position":
            return value
        self.wrong(place, f"{value!r} must be name or position: how the partner finds a column in the file")
        return None

    def column(self, entry: SchemaProperty, place: str) -> Column | None:
        name = self.identifier(entry.name, place)
        source = self.identifier(entry.physicalName or entry.name, f"{place}.physicalName")
        match = re.fullmatch(r"(\w+)(?:\((\d+)(?:, *(\d+))?\))?", entry.physicalType or "")
        type_ = (match[1].upper() if match else "").replace("INTEGER", "INT64").replace("BOOLEAN", "BOOL")
        if match is None or type_ not in TYPES:
            hint = "; a float has no exact decimal form, use NUMERIC(precision, scale)" if "FLOAT" in type_ else ""
            self.wrong(f"{place}.physicalType", f"{entry.physicalType!r} is not one of {', '.join(TYPES)}{hint}")
            return None
        options = entry.logicalTypeOptions or {}
        for stranger in sorted(set(options) - set(OPTIONS)):
            self.wrong(f"{place}.logicalTypeOptions", f"{stranger} is not one of {', '.join(OPTIONS)}")
        pattern = self.pattern(options.get("pattern"), f"{place}.pattern")
        numbers = {
            option: self.number(options.get(option), f"{place}.logicalTypeOptions.{option}") for option in OPTIONS[1:]
        }
        column = Column(
            name=name,
            source=source,
            type=type_,  # type: ignore[arg-type]  # one of TYPES, checked above
            scale=self.scale(type_, match[2], match[3], f"{place}.physicalType"),
            precision=min(int(match[2] or 38), 38) if type_ in LARGEST_SCALE else None,
            required=bool(entry.required),
            pattern=pattern,
            min_length=numbers["minLength"],
            max_length=numbers["maxLength"] or (int(match[2]) if type_ == "STRING" and match[2] else None),
            minimum=numbers["minimum"],
            maximum=numbers["maximum"],
            allowed=self.allowed(entry, place),
            unit=_text(_custom(entry).get("unit")),
            classification=entry.classification,
            description=entry.description,
        )
        textual = column.pattern or column.min_length or column.max_length or column.allowed
        if textual and column.type != "STRING":
            self.wrong(place, f"pattern, lengths and enum go with STRING, not with {column.type}")
        if (column.minimum is not None or column.maximum is not None) and type_ not in NUMBERS:
            self.wrong(place, f"minimum and maximum go with numbers, not with {column.type}")
        return column

    def scale(self, type_: str, precision: str | None, scale: str | None, place: str) -> int | None:
        if (what := type_parameters.problem(type_, precision, scale)) is not None:
            self.wrong(place, what)
        if type_ not in LARGEST_SCALE:
            return None
        return LARGEST_SCALE[type_] if precision is None else int(scale or 0)

    def pattern(self, value: object, place: str) -> str | None:
        if value is None:
            return None
        import polars  # here alone: reading a contract should not cost the import where there is no pattern

        try:
            polars.Series([""]).str.contains(str(value), strict=True)
        except polars.exceptions.ComputeError:
            self.wrong(place, f"{value!r} is not a regular expression that the checks can run (no look-around)")
        return str(value)

    def number(self, value: object, place: str) -> int | None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            self.wrong(place, f"{value!r} is not a whole number")
            return None
        return value

    def allowed(self, entry: SchemaProperty, place: str) -> tuple[str, ...] | None:
        if entry.enum is None:
            return None
        values = tuple(str(item.value) for item in entry.enum if isinstance(item.value, str))
        if len(values) != len(entry.enum) or not values:
            self.wrong(f"{place}.enum", "must be a list of values that are text; quote those that YAML reads otherwise")
        return values


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _custom(entry: SchemaObject | SchemaProperty) -> dict[str, Any]:
    return {str(item.property): item.value for item in entry.customProperties or []}
