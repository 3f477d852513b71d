"""What changes of a contract do: changes with known answers, the table of rules whole, versions."""

from __future__ import annotations

import functools
import re
from dataclasses import fields, replace
from typing import Any, Final

import pytest
import yaml
from datacontract.data_contract import DataContract
from open_data_contract_standard.model import OpenDataContractStandard

from pipeline.contracts import reader
from pipeline.contracts.compatibility import numbers, raised
from pipeline.contracts.dataset import Column, Dataset, Total, Unshared
from pipeline.contracts.promise import Promise
from pipeline.contracts.rules import RULES, Rule, compare
from pipeline.settings import HERE
from tests.sample_contract import START

BASE: Final = """\
apiVersion: v3.2.0
kind: DataContract
id: orders
name: orders
version: 1.4.2
status: active
schema:
  - name: orders
    physicalName: orders_v1
    customProperties:
      - {property: changeColumn, value: changed_at}
      - {property: filter, value: "in_program AND region IN ('EU', 'UK')"}
      - {property: watermark, value: watermark}
      - {property: controlTotals, value: ["sum(amount)"]}
      - {property: fileName, value: "{dataset}_{start}_r{revision}_{part}of{parts}.csv"}
      - {property: emptyWindow, value: record}
    properties:
      - {name: order_id, physicalType: STRING, required: true, primaryKey: true, classification: internal,
         logicalTypeOptions: {minLength: 1, maxLength: 36}}
      - {name: line, physicalType: INT64, required: true, classification: internal,
         logicalTypeOptions: {minimum: 1, maximum: 999}}
      - {name: payer, physicalType: STRING, classification: confidential}
      - {name: payee, physicalType: STRING, classification: confidential}
      - {name: country, physicalType: STRING, required: true, logicalTypeOptions: {pattern: '^[A-Z]{2}$'}}
      - {name: status, physicalType: STRING, required: true, enum: [{value: open}, {value: paid}]}
      - {name: amount, physicalType: "NUMERIC(18, 2)", required: true, description: In euro.}
      - {name: count, physicalType: INT64}
      - {name: paid, physicalType: BOOL}
      - {name: day, physicalType: DATE}
      - {name: details, physicalType: JSON}
      - {name: secret, physicalType: STRING, customProperties: [{property: shared, value: false}]}
      - {name: changed_at, physicalType: TIMESTAMP, required: true}
"""
PAYER: Final = "      - {name: payer, physicalType: STRING, classification: confidential}\n"
PAYEE: Final = PAYER.replace("payer", "payee")
LAST: Final = "      - {name: changed_at, physicalType: TIMESTAMP, required: true}\n"
SECRET: Final = ", customProperties: [{property: shared, value: false}]"
NOTE: Final = "      - {name: note, physicalType: STRING, classification: restricted}\n"
EMPTY: Final = "      - {property: emptyWindow, value: record}\n"
KEY: Final = "maxLength: 36}}\n"

PAGE: Final = HERE.parent / "docs" / "contracts" / "README.md"

F, B, W, N = "full", "backward", "forward", "none"
Answer = tuple[str, str, str | None, str]

CHANGES: Final[dict[str, tuple[list[tuple[str, str]], Answer]]] = {
    # what: edits, (by name, by position, level, what is said of disclosure: d disclosed, w withheld)
    "nothing": ([], (F, F, None, "")),
    "a comment": ([("apiVersion", "# said\napiVersion")], (F, F, "patch", "")),
    "an optional column at the end": ([(LAST, LAST + NOTE)], (F, N, "major", "d")),
    "an optional column in the middle": ([(PAYER, PAYER + NOTE)], (F, N, "major", "d")),
    "an optional column for a partner who reads by name": (
        [
            (
                "emptyWindow, value: record}\n",
                "emptyWindow, value: record}\n      - {property: partnerReads, value: name}\n",
            )
        ],
        (F, F, "patch", ""),
    ),
    "a required column": ([(LAST, NOTE.replace("STRING", "STRING, required: true") + LAST)], (W, N, "major", "d")),
    "an optional column removed": ([(PAYER, "")], (F, N, "major", "w")),
    "a required column removed": (
        [("      - {name: status, physicalType: STRING, required: true, enum: [{value: open}, {value: paid}]}\n", "")],
        (B, N, "major", "w"),
    ),
    "a hidden column shared": ([(SECRET, "")], (F, N, "major", "d")),
    "a column hidden": (
        [("{name: paid, physicalType: BOOL", "{name: paid, physicalType: BOOL" + SECRET)],
        (F, N, "major", "w"),
    ),
    "two texts exchanged": ([(PAYER + PAYEE, PAYEE + PAYER)], (F, N, "major", "")),
    "a column moved to the end": ([(PAYER, ""), (LAST, LAST + PAYER)], (F, N, "major", "")),
    "a column renamed": ([("{name: payer,", "{name: debtor, physicalName: payer,")], (N, F, "major", "")),
    "a column renamed everywhere": ([("{name: payer,", "{name: debtor,")], (F, N, "major", "dw")),
    "a column's source": ([("{name: payer,", "{name: payer, physicalName: payer_full,")], (F, F, "minor", "d")),
    "two names exchanged": (
        [
            (PAYER, PAYER.replace("{name: payer", "{name: payee, physicalName: payer")),
            (PAYEE, PAYEE.replace("{name: payee", "{name: payer, physicalName: payee")),
        ],
        (N, N, "major", "d"),
    ),
    "a column that takes the name of another": (
        [(PAYER, ""), (PAYEE, PAYEE.replace("{name: payee", "{name: payee, physicalName: payer"))],
        (N, N, "major", "dw"),
    ),
    "a key from another source": (
        [("{name: order_id,", "{name: order_id, physicalName: number,")],
        (N, N, "major", "d"),
    ),
    "hours from another source": (
        [("{name: changed_at,", "{name: changed_at, physicalName: at,")],
        (N, N, "major", "d"),
    ),
    "a first hour": (
        [(EMPTY, EMPTY + "      - {property: firstHour, value: 2026-12-01T00:00:00Z}\n")],
        (F, F, "major", "w"),
    ),
    "a last hour": (
        [(EMPTY, EMPTY + "      - {property: endsAt, value: 2026-12-01T00:00:00Z}\n")],
        (F, F, "major", "w"),
    ),
    "the type of a hidden column": (
        [("secret, physicalType: STRING", "secret, physicalType: BOOL")],
        (F, F, "patch", ""),
    ),
    "an optional column required": (
        [("count, physicalType: INT64", "count, physicalType: INT64, required: true")],
        (W, W, "minor", ""),
    ),
    "a required column optional": (
        [('amount, physicalType: "NUMERIC(18, 2)", required: true', 'amount, physicalType: "NUMERIC(18, 2)"')],
        (B, B, "major", ""),
    ),
    "a value more": ([("{value: paid}]", "{value: paid}, {value: void}]")], (B, B, "major", "")),
    "a value less": ([("{value: open}, ", "")], (W, W, "minor", "")),
    "a value for another": ([("{value: open}", "{value: new}")], (N, N, "major", "")),
    "values in another order": (
        [("{value: open}, {value: paid}", "{value: paid}, {value: open}")],
        (F, F, "patch", ""),
    ),
    "values free": ([(", enum: [{value: open}, {value: paid}]", "")], (B, B, "major", "")),
    "a pattern wider": ([("[A-Z]{2}$", "[A-Z]{2,3}$")], (B, B, "major", "")),
    "a pattern narrower": ([("[A-Z]{2}$", "[A-Y]{2}$")], (W, W, "minor", "")),
    "a pattern said otherwise": ([("^[A-Z]{2}$", "^[A-Z][A-Z]$")], (F, F, "patch", "")),
    "a pattern of another kind": ([("^[A-Z]{2}$", "^[A-Z]{3}$")], (N, N, "major", "")),
    "a pattern gone": ([(", logicalTypeOptions: {pattern: '^[A-Z]{2}$'}", "")], (B, B, "major", "")),
    "a pattern that loses its end": ([("{2}$", "{2}")], (B, B, "major", "")),
    "a pattern as values": (
        [("logicalTypeOptions: {pattern: '^[A-Z]{2}$'}", "enum: [{value: DE}, {value: FR}]")],
        (W, W, "minor", ""),
    ),
    "a length that a pattern implies": (
        [("{pattern: '^[A-Z]{2}$'}", "{pattern: '^[A-Z]{2}$', maxLength: 2}")],
        (F, F, "patch", ""),
    ),
    "longer texts": ([("maxLength: 36", "maxLength: 64")], (B, B, "major", "")),
    "shorter texts": ([("maxLength: 36", "maxLength: 32")], (W, W, "minor", "")),
    "a length said as a type": (
        [("STRING, required: true, primaryKey", "STRING(36), required: true, primaryKey"), (", maxLength: 36", "")],
        (F, F, "patch", ""),
    ),
    "a higher maximum": ([("maximum: 999", "maximum: 9999")], (B, B, "major", "")),
    "a higher minimum": ([("minimum: 1,", "minimum: 2,")], (W, W, "minor", "")),
    "more decimal places": ([("NUMERIC(18, 2)", "NUMERIC(20, 4)")], (B, B, "major", "")),
    "more decimal places at the cost of others": ([("NUMERIC(18, 2)", "NUMERIC(18, 4)")], (N, N, "major", "")),
    "fewer decimal places": ([("NUMERIC(18, 2)", "NUMERIC(16, 0)")], (W, W, "minor", "")),
    "more digits": ([("NUMERIC(18, 2)", "NUMERIC(20, 2)")], (B, B, "major", "")),
    "a wide number that looks alike": ([("NUMERIC(18, 2)", "BIGNUMERIC(18, 2)")], (F, F, "patch", "")),
    "a whole number as decimal": (
        [("count, physicalType: INT64", "count, physicalType: NUMERIC(19)")],
        (B, B, "major", ""),
    ),
    "a whole number as text": ([("count, physicalType: INT64", "count, physicalType: STRING")], (B, B, "major", "")),
    "a text as whole number": ([("payer, physicalType: STRING", "payer, physicalType: INT64")], (W, W, "minor", "")),
    "a truth value as text": ([("paid, physicalType: BOOL", "paid, physicalType: STRING")], (B, B, "major", "")),
    "a truth value as number": ([("paid, physicalType: BOOL", "paid, physicalType: INT64")], (N, N, "major", "")),
    "a day as instant": ([("day, physicalType: DATE", "day, physicalType: TIMESTAMP")], (N, N, "major", "")),
    "a day as text": ([("day, physicalType: DATE", "day, physicalType: STRING")], (B, B, "major", "")),
    "a document as text": ([("details, physicalType: JSON", "details, physicalType: STRING")], (B, B, "major", "")),
    "a text as document": ([("payer, physicalType: STRING", "payer, physicalType: JSON")], (W, W, "minor", "")),
    "another spelling of a type": (
        [("count, physicalType: INT64", "count, physicalType: integer")],
        (F, F, "patch", ""),
    ),
    "a unit": ([("description: In euro.", "customProperties: [{property: unit, value: cent}]")], (N, N, "major", "")),
    "words that may hide a unit": ([("In euro.", "In cent.")], (F, F, "patch", "")),
    "a higher classification": (
        [
            (
                "payer, physicalType: STRING, classification: confidential",
                "payer, physicalType: STRING, classification: restricted",
            )
        ],
        (F, F, "minor", "d"),
    ),
    "a lower classification": (
        [
            (
                "payer, physicalType: STRING, classification: confidential",
                "payer, physicalType: STRING, classification: internal",
            )
        ],
        (F, F, "patch", ""),
    ),
    "a classification of another word": (
        [
            (
                "payer, physicalType: STRING, classification: confidential",
                "payer, physicalType: STRING, classification: gdpr",
            )
        ],
        (F, F, "minor", "d"),
    ),
    "another table": ([("orders_v1", "orders_v2")], (F, F, "minor", "d")),
    "a wider filter": ([("in_program AND region", "region")], (F, F, "minor", "d")),
    "a wider list in the filter": ([("'EU', 'UK'", "'EU', 'UK', 'US'")], (F, F, "minor", "d")),
    "no filter": (
        [("      - {property: filter, value: \"in_program AND region IN ('EU', 'UK')\"}\n", "")],
        (F, F, "minor", "d"),
    ),
    "a narrower filter": ([("'EU', 'UK'", "'EU'")], (F, F, "major", "w")),
    "one condition more": ([("in_program AND", "in_program AND NOT is_test AND")], (F, F, "major", "w")),
    "another filter": ([("in_program AND", "in_pilot AND")], (F, F, "major", "dw")),
    "a filter written otherwise": (
        [("in_program AND region IN ('EU', 'UK')", "region in ('UK','EU')  and (IN_PROGRAM)")],
        (F, F, "patch", ""),
    ),
    "another key": (
        [
            (
                "line, physicalType: INT64, required: true",
                "line, physicalType: INT64, required: true, primaryKey: true, primaryKeyPosition: 2",
            )
        ],
        (N, N, "major", ""),
    ),
    "another change column": (
        [
            ("changeColumn, value: changed_at", "changeColumn, value: paid_at"),
            (LAST, LAST.replace("changed_at", "paid_at") + LAST),
        ],
        (N, N, "major", "d"),
    ),
    "no watermark": ([("watermark, value: watermark", "watermark, value: none")], (F, F, "patch", "")),
    "one control total more": ([('["sum(amount)"]', '["sum(amount)", "max(changed_at)"]')], (F, F, "patch", "")),
    "another file name": ([("{dataset}_{start}", "psp_{dataset}_{start}")], (N, N, "major", "")),
    "the dataset's name in the file's, spelled out": ([('"{dataset}_{start}', '"orders_{start}')], (F, F, "patch", "")),
    "a file for an empty hour": ([("emptyWindow, value: record", "emptyWindow, value: file")], (W, W, "minor", "")),
    "another dataset": ([("name: orders\nversion", "name: sales\nversion")], (N, N, "major", "d")),
}


UNPROVEN: Final = ("another filter", "a key from another source", "hours from another source")


def edited(edits: list[tuple[str, str]]) -> str:
    """The contract with some texts replaced; each stands in it."""
    text = BASE
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def read(text: str) -> Dataset:
    """The contract."""
    return reader.read(text, where="orders.yaml")


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_does_what_is_known_of_it(case: str) -> None:
    edits, expected = CHANGES[case]
    found = compare(read(BASE), read(edited(edits)))
    marks = ("d" if found.disclosed else "") + ("w" if found.withheld else "")
    assert (found.by_name.kind, found.by_position.kind, found.level, marks) == expected
    assert all(change.proven for change in found.changes) or case in UNPROVEN


def test_more_than_fifty_changes_are_known() -> None:
    assert len(CHANGES) > 50


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_undone_has_the_mirrored_answer(case: str) -> None:
    edits, (by_name, by_position, _, _) = CHANGES[case]
    found = compare(read(edited(edits)), read(BASE))
    mirror = {F: F, N: N, B: W, W: B}
    assert (found.by_name.kind, found.by_position.kind) == (mirror[by_name], mirror[by_position])


LOGICAL: Final = {
    "STRING": "string",
    "INT64": "integer",
    "integer": "integer",
    "NUMERIC": "number",
    "BIGNUMERIC": "number",
    "BOOL": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "JSON": "object",
}


def with_logical_types(text: str) -> str:
    """The contract with the standard's own type beside each of the warehouse's, which its tool insists on."""
    return re.sub(r'physicalType: "?(\w+)', lambda found: f"logicalType: {LOGICAL[found[1]]}, {found[0]}", text)


def differences() -> dict[str, tuple[str, str]]:
    """From the documentation: changes on which the standard's tool says something else, its answer and ours."""
    rows = re.findall(r"^\| ([^|]+) \| (breaking|not breaking) \| (\w+) \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    return {change: (theirs, ours) for change, theirs, ours in rows}


@functools.cache
def standard(text: str) -> DataContract:
    """The contract for the standard's tool, without its check against the standard's schema, which takes 1.5 s."""
    return DataContract(data_contract=OpenDataContractStandard(**yaml.safe_load(with_logical_types(text))))


@pytest.mark.parametrize("case", CHANGES)
def test_where_the_standards_tool_says_something_else_the_documentation_says_why(case: str) -> None:
    edits, (_, _, level, _) = CHANGES[case]
    theirs = "breaking" if standard(BASE).breaking(standard(edited(edits))).is_breaking else "not breaking"
    ours = level or "nothing"
    if (theirs == "breaking") == (ours == "major"):
        assert case not in differences()
    else:
        assert differences()[case] == (theirs, ours)


def test_every_property_that_the_reader_honours_has_a_rule() -> None:
    """Whoever teaches the reader a property meets this test, and decides in the table what a change of it does."""
    honoured = {field.name for field in fields(Dataset)} | {f"columns.{field.name}" for field in fields(Column)}
    assert {name for rule in RULES for name in rule.properties} == honoured


OTHER: Final[dict[str, Any]] = {
    "name": "sales",
    "table": "other",
    "key": ("line",),
    "change": "other_at",
    "filter": None,
    "watermark": None,
    "totals": (Total("max", "changed_at"),),
    "file_name": "other_{start}_{revision}_{part}.csv",
    "empty_file": True,
    "partner_reads": "position",
    "series_name": "orders_v2",
    "starts": START,
    "ends": START,
    "formulas": "refuse",
    "nul": "escape",
    "promise": Promise(30, 99, 30),
    "unshared": (Unshared("secret", "BOOL"),),
    "text": "other",
}
OTHER_COLUMN: Final[dict[str, Any]] = {
    "name": "other",
    "source": "other",
    "type": "JSON",
    "scale": 3,
    "required": True,
    "pattern": "^b$",
    "min_length": 3,
    "max_length": 4,
    "minimum": 5,
    "maximum": 6,
    "allowed": ("z",),
    "precision": 7,
    "unit": "cent",
    "classification": "restricted",
    "description": "other",
}
TYPES: Final = {"scale": "amount", "precision": "amount", "minimum": "count", "maximum": "count"}


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.name not in ("version", "order")], ids=lambda r: r.name
)
def test_every_property_of_a_rule_is_noticed_by_it(rule: Rule) -> None:
    base = read(BASE.replace("{dataset}", "sales"))
    for name in rule.properties:
        owner, _, field = name.rpartition(".")
        if name == "columns":
            changed = replace(base, columns=base.columns[:-1])
        elif owner:
            target = TYPES.get(field, "payer")
            columns = (replace(c, **{field: OTHER_COLUMN[field]}) if c.name == target else c for c in base.columns)
            changed = replace(base, columns=tuple(columns))
        else:
            changed = replace(base, **{field: OTHER[field]})
        assert [change.rule for change in compare(base, changed).changes] == [rule.name], name


@pytest.mark.parametrize(
    ("given", "level", "least"),
    [
        ("1.4.2", "patch", "1.4.3"),
        ("1.4.2", "minor", "1.5.0"),
        ("1.4.2", "major", "2.0.0"),
        ("0.0.9", "minor", "0.1.0"),
    ],
)
def test_the_least_version_follows_from_the_worst_change(given: str, level: Any, least: str) -> None:
    assert raised(given, level) == least


def test_what_a_column_needs_in_the_warehouse_is_said_when_it_goes_and_when_nobody_gets_it() -> None:
    removed, hidden, same = (
        compare(read(BASE), read(edited(edits))).warehouse
        for edits in (CHANGES["an optional column removed"][0], CHANGES["a column hidden"][0], [])
    )
    assert removed[0].startswith("Keep payer in the table, as `shared: false`, until the last hour")
    assert hidden == ("Change the mart, run dbt/from_contracts.py.",)
    assert same == ()


@pytest.mark.parametrize("reads", [("name", "position"), ("position", "name")])
def test_where_the_partner_reads_otherwise_from_now_on_the_worse_of_both_counts(reads: tuple[Any, Any]) -> None:
    before, after = (
        replace(read(text), partner_reads=how)
        for text, how in zip((BASE, edited([(LAST, LAST + NOTE)])), reads, strict=True)
    )
    assert compare(before, after).level == "major"


def test_columns_at_the_end_move_none() -> None:
    two = LAST + NOTE + NOTE.replace("note", "remark")
    changes = compare(read(BASE), read(edited([(LAST, two)]))).changes
    assert [change.says for change in changes] == ["An optional column is added at the end."] * 2


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0-rc1", "", "1.0.0\n"])
def test_a_version_that_is_not_three_numbers_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="three numbers"):
        numbers(version)


@pytest.mark.parametrize(
    ("version", "enough"), [("1.4.2", False), ("1.4.3", False), ("1.9.9", False), ("2.0.0", True), ("3.1.0", True)]
)
def test_a_version_that_is_raised_too_little_is_not_enough(version: str, enough: bool) -> None:
    new = edited([("maxLength: 36", "maxLength: 64"), ("1.4.2", version)])
    assert compare(read(BASE), read(new)).enough is enough
