"""Contracts: the shipped three are valid for others too; one with a mistake says where and what, all at once."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from datacontract.data_contract import DataContract
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts import reader
from pipeline.contracts.dataset import Column, Total, recognised
from pipeline.errors import ContractInvalid
from pipeline.settings import HERE
from pipeline.window import HOUR, Delivery, Slot, Window, stamp
from tests.sample_contract import CONTRACT, START, WINDOW, sample_contract

SHIPPED = ("identity", "payments", "transactions")


def path(name: str) -> Path:
    """Where a shipped contract is."""
    return HERE / "contracts" / f"{name}.yaml"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_contract_is_valid_for_the_standards_own_checker(name: str) -> None:
    """What `datacontract lint` does; the schema of ODCS comes with its package."""
    run = DataContract(data_contract_file=str(path(name))).lint()
    assert (str(run.result.value), [check.reason for check in run.checks or [] if check.reason]) == ("passed", [])


def test_the_shipped_contracts_are_the_three_of_the_request() -> None:
    found = reader.load(HERE / "contracts")
    assert tuple(sorted(found)) == SHIPPED
    assert {dataset.watermark for dataset in found.values()} == {"watermark"}
    assert {dataset.filter for dataset in found.values()} == {"in_program"}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_contract_names_all_that_a_delivery_rests_on(name: str) -> None:
    dataset = reader.load(HERE / "contracts")[name]
    assert all(dataset.column(key).required for key in dataset.key)
    assert dataset.column(dataset.change).type == "TIMESTAMP"
    assert dataset.totals
    assert any(column.pattern for column in dataset.columns)
    assert any(column.allowed for column in dataset.columns)
    assert "in_program" not in [column.name for column in dataset.columns]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_column_of_a_shipped_contract_is_described_and_classified(name: str) -> None:
    columns = yaml.safe_load(path(name).read_text())["schema"][0]["properties"]
    assert [one["name"] for one in columns if not (one.get("description") and one.get("classification"))] == []


def test_a_contract_of_others_is_read_whole() -> None:
    dataset = sample_contract()
    assert (dataset.name, dataset.version, dataset.table) == ("bookings", "2.3.4", "ledger_v2")
    assert (dataset.key, dataset.change) == (("booking", "line"), "touched")
    assert dataset.totals == (Total("sum", "amount"), Total("min", "line"), Total("max", "touched"))
    assert [str(total) for total in dataset.totals] == ["sum(amount)", "min(line)", "max(touched)"]
    assert dataset.empty_file
    assert dataset.columns[0] == Column("booking", "booking_no", "STRING", required=True)
    assert {column.name: column.scale for column in dataset.columns if column.scale} == {"amount": 9, "rate": 18}
    assert "is_internal" not in [column.name for column in dataset.columns]


def test_what_a_contract_leaves_out_has_the_quiet_meaning() -> None:
    dataset = sample_contract(
        "\n".join(line for line in CONTRACT.splitlines() if not any(word in line for word in ("emptyWindow", "filter")))
    )
    assert (dataset.filter, dataset.empty_file) == (None, False)


def test_a_table_without_watermark_says_so() -> None:
    assert sample_contract(CONTRACT.replace("value: watermark", "value: none")).watermark is None


@pytest.mark.parametrize(
    ("physical", "type_", "scale"),
    [
        ("NUMERIC", "NUMERIC", 9),
        ("numeric(10)", "NUMERIC", 0),
        ("NUMERIC(18,2)", "NUMERIC", 2),
        ("BIGNUMERIC(38, 38)", "BIGNUMERIC", 38),
        ("INTEGER", "INT64", None),
        ("boolean", "BOOL", None),
        ("STRING(36)", "STRING", None),
    ],
)
def test_types_are_those_of_the_warehouse_in_any_spelling(physical: str, type_: str, scale: int | None) -> None:
    dataset = sample_contract(CONTRACT.replace('"BIGNUMERIC(38, 18)"', f'"{physical}"'))
    column = dataset.column("rate")
    assert (column.type, column.scale) == (type_, scale)
    assert column.max_length == (36 if physical == "STRING(36)" else None)


RULES = "{name: text, physicalName: free_text, physicalType: STRING"
MISTAKES: dict[str, tuple[str, str, str]] = {
    "another kind of document": ("kind: DataContract", "kind: DataProduct", "kind, apiVersion: must be DataContract"),
    "another version of the standard": ("apiVersion: v3.2.0", "apiVersion: v2.2.0", "kind, apiVersion: must be"),
    "a name with a dash": ("name: bookings\nversion", "name: book-ings\nversion", "name: 'book-ings' is not a name"),
    "a table name with a quote": ("ledger_v2", '"l`v2"', "schema[0].physicalName: 'l`v2' is not a name of letters"),
    "a column name with a blank": ("name: text", "name: te xt", "schema[0].te xt: 'te xt' is not a name"),
    "a source name with SQL": (
        "physicalName: free_text",
        'physicalName: "x, y"',
        "schema[0].text.physicalName: 'x, y' is",
    ),
    "a misspelt field of a column": (
        "name: line, physicalType: INT64, required",
        "name: line, physicalType: INT64, requird: true, required",
        "schema[0].properties[1] line: requird is not a field of ODCS; is it misspelt?",
    ),
    "a misspelt field of the table": (
        "physicalName: ledger_v2",
        "physicalname: ledger_v2",
        "schema[0]: physicalname is",
    ),
    "a misspelt property": ("property: filter", "property: fliter", "schema[0].customProperties: fliter is not one of"),
    "a float": ("physicalType: INT64", "physicalType: FLOAT64", "use NUMERIC(precision, scale)"),
    "an unknown type": ("physicalType: DATE", "physicalType: DATETIME", "schema[0].booked.physicalType: 'DATETIME' is"),
    "no type": ("physicalType: DATE", "logicalType: date", "schema[0].booked.physicalType: None is not one of STRING"),
    "a BIGNUMERIC without scale": (
        '"BIGNUMERIC(38, 18)"',
        "BIGNUMERIC",
        "schema[0].rate.physicalType: say how many decimal places",
    ),
    "too many decimal places": ("NUMERIC(38, 9)", "NUMERIC(38, 10)", "amount.physicalType: NUMERIC has at most 9"),
    "the same column twice": ("name: text", "name: line", "schema[0].line: the column stands twice"),
    "no key": ("primaryKey: true", "primaryKey: false", "schema[0].properties: no column has primaryKey: true"),
    "a key that may be null": (
        "INT64, required: true",
        "INT64, required: false",
        "schema[0].line: a key column must be required: true",
    ),
    "no change column": (
        "      - {property: changeColumn, value: touched}\n",
        "",
        "schema[0].changeColumn: None must be a shared, required TIMESTAMP column",
    ),
    "a change column of another type": (
        "changeColumn, value: touched",
        "changeColumn, value: booked",
        "schema[0].changeColumn: 'booked' must be",
    ),
    "a change column that may be null": (
        "physicalType: TIMESTAMP, required: true",
        "physicalType: TIMESTAMP",
        "schema[0].changeColumn: 'touched' must be",
    ),
    "a filter of two statements": (
        '"NOT is_internal OR is_internal IS NULL"',
        '"TRUE; DROP TABLE x"',
        "schema[0].filter: 'TRUE; DROP TABLE x' holds a semicolon",
    ),
    "a key of JSON": (
        "{name: line, physicalType: INT64",
        "{name: line, physicalType: JSON",
        "schema[0].line: JSON cannot be compared, so it cannot be a key",
    ),
    "too many digits": ("NUMERIC(38, 9)", "NUMERIC(39, 9)", "NUMERIC has 9 to 38 digits in all"),
    "fewer digits than decimal places": ("NUMERIC(38, 9)", "NUMERIC(4, 5)", "NUMERIC has 5 to 34 digits in all"),
    "a type with a parameter that it does not take": (
        "name: booked, physicalType: DATE",
        "name: booked, physicalType: DATE(3)",
        "booked.physicalType: DATE takes no such parameter",
    ),
    "a text of no length": (
        "physicalName: free_text, physicalType: STRING",
        'physicalName: free_text, physicalType: "STRING(0)"',
        "text.physicalType: STRING takes no such parameter",
    ),
    "an empty filter": ('"NOT is_internal OR is_internal IS NULL"', '" "', "schema[0].filter: must be one SQL"),
    "no watermark": (
        "      - {property: watermark, value: watermark}\n",
        "",
        "schema[0].watermark: is missing: name the watermark table, or none",
    ),
    "a watermark that is no name": ("value: watermark", "value: a.b", "schema[0].watermark: 'a.b' is not a name"),
    "a total of an unknown function": ("sum(amount)", "avg(amount)", "controlTotals: 'avg(amount)' is not sum(column)"),
    "a total of an unknown column": ("sum(amount)", "sum(amonut)", "controlTotals: 'sum(amonut)' is not sum(column)"),
    "a total of what is not shared": ("min(line)", "min(is_internal)", "'min(is_internal)' is not sum(column)"),
    "a sum of instants": ("max(touched)", "sum(touched)", "controlTotals: 'sum(touched)': touched is TIMESTAMP"),
    "a total of text": ("min(line)", "min(text)", "controlTotals: 'min(text)': text is STRING"),
    "a file name without the window": (
        "{dataset}.{start}",
        "{dataset}",
        "fileName: 'BK-{dataset}.r{revision}.p{part}-{parts}.txt' must hold {start}, {revision} and {part}",
    ),
    "a file name without the revision": (".r{revision}", "", "else two files share a name"),
    "a file name without the part": ("p{part}-{parts}", "p{parts}", "else two files share a name"),
    "a file name whose numbers touch": (
        "r{revision}.p{part}",
        "{revision}{part}",
        "more than digits between two numbers",
    ),
    "a file name whose numbers touch by a digit": ("r{revision}.p{part}", "{part}0{revision}", "between two numbers"),
    "a file name with an unknown place": ("p{part}", "p{part}{hour}", "fileName: 'BK-"),
    "a file name with a broken place": ("p{part}", "p{part}{", "else two files share a name"),
    "a file name with a directory": ("BK-", "BK/", "may hold letters, digits, dots, dashes and underscores"),
    "a hidden file name": ("BK-{dataset}", ".{dataset}", "may hold letters, digits"),
    "no file name": (
        '      - {property: fileName, value: "BK-{dataset}.{start}.r{revision}.p{part}-{parts}.txt"}\n',
        "",
        "schema[0].fileName: None must hold {start}",
    ),
    "an unknown wish for the empty window": ("value: file}", "value: skip}", "emptyWindow: 'skip' must be record"),
    "a pattern that does not compile": (
        RULES,
        RULES + ", logicalTypeOptions: {pattern: '[A-'}",
        "schema[0].text.pattern: '[A-' is not a regular expression that the checks can run",
    ),
    "a pattern that looks around": (
        RULES,
        RULES + ", logicalTypeOptions: {pattern: '(?=a)b'}",
        "schema[0].text.pattern: '(?=a)b' is not a regular expression",
    ),
    "a misspelt option": (
        RULES,
        RULES + ", logicalTypeOptions: {maxlength: 3}",
        "schema[0].text.logicalTypeOptions: maxlength is not one of pattern, minLength, maxLength, minimum, maximum",
    ),
    "a length as text": (
        RULES,
        RULES + ", logicalTypeOptions: {maxLength: '3'}",
        "text.logicalTypeOptions.maxLength: '3' is not a whole number",
    ),
    "a length that is true": (
        RULES,
        RULES + ", logicalTypeOptions: {minLength: true}",
        "text.logicalTypeOptions.minLength: True is not a whole number",
    ),
    "a minimum of text": (
        RULES,
        RULES + ", logicalTypeOptions: {minimum: 0}",
        "schema[0].text: minimum and maximum go with numbers, not with STRING",
    ),
    "a pattern of a number": (
        "{name: line, physicalType: INT64",
        "{name: line, physicalType: INT64, logicalTypeOptions: {pattern: '1'}",
        "schema[0].line: pattern, lengths and enum go with STRING, not with INT64",
    ),
    "an enumeration with a boolean": (
        RULES,
        RULES + ", enum: [{value: yes}, {value: 'no'}]",
        "schema[0].text.enum: must be a list of values that are text; quote those",
    ),
    "an empty enumeration": (RULES, RULES + ", enum: []", "schema[0].text.enum: must be a list"),
    "two tables": ("schema:\n", "schema:\n  - {name: other}\n", "schema: must hold one object, the table; it holds 2"),
    "what the standard's own model refuses": ("version: 2.3.4", "version: [2]", "bookings.yaml: version: Input should"),
    "a tab for a blank": ("name: bookings\nversion", "\tname: bookings\nversion", "bookings.yaml line 5: this is not"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_reported_with_its_place(case: str) -> None:
    old, new, reason = MISTAKES[case]
    assert old in CONTRACT
    with pytest.raises(ContractInvalid) as caught:
        sample_contract(CONTRACT.replace(old, new))
    assert reason in caught.value.message
    assert all(line.startswith("bookings.yaml") for line in caught.value.message.splitlines())


def test_every_mistake_is_reported_at_once() -> None:
    text = CONTRACT.replace("sum(amount)", "sum(none)").replace("value: file}", "value: skip}").replace("DATE", "FLOAT")
    with pytest.raises(ContractInvalid) as caught:
        sample_contract(text)
    assert len(caught.value.message.splitlines()) == 3


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "42"])
def test_what_is_no_contract_at_all_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ContractInvalid, match=r"x\.yaml: this is not a data contract, but"):
        reader.read(text, where="x.yaml")


def emptied(place: tuple[str | int, ...]) -> str:
    """The contract without the value of one field."""
    content: Any = yaml.safe_load(CONTRACT)
    spot = content
    for step in place[:-1]:
        spot = spot[step]
    spot[place[-1]] = None
    return str(yaml.safe_dump(content))


PLACES: list[tuple[str | int, ...]] = [
    ("apiVersion",),
    ("schema",),
    ("schema", 0),
    ("schema", 0, "properties"),
    ("schema", 0, "properties", 0),
    ("schema", 0, "properties", 0, "name"),
    ("schema", 0, "customProperties"),
    ("schema", 0, "customProperties", 0),
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_value_that_was_left_empty_is_a_mistake_with_a_place(place: tuple[str | int, ...]) -> None:
    with pytest.raises(ContractInvalid) as caught:
        sample_contract(emptied(place))
    assert all(line.startswith("bookings.yaml: ") for line in caught.value.message.splitlines())


def test_a_directory_gives_every_contract_and_every_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONTRACT)
    assert list(reader.load(tmp_path)) == ["bookings"]
    (tmp_path / "b.yml").write_text(CONTRACT)
    (tmp_path / "c.yaml").write_text(CONTRACT.replace("value: file}", "value: skip}"))
    (tmp_path / "d.txt").write_text("not a contract")
    with pytest.raises(ContractInvalid) as caught:
        reader.load(tmp_path)
    lines = caught.value.message.splitlines()
    assert lines[0].startswith("b.yml: there is another contract for bookings; ")
    assert lines[1].startswith("c.yaml: schema[0].emptyWindow")
    assert len(lines) == 2


def test_two_contracts_cannot_give_their_files_the_same_names(tmp_path: Path) -> None:
    """One dataset's file would replace the other's at the partner."""
    (tmp_path / "a.yaml").write_text(CONTRACT.replace("BK-{dataset}", "BK-bookings"))
    (tmp_path / "b.yaml").write_text(CONTRACT.replace("name: bookings\nversion", "name: others\nversion"))
    assert set(reader.load(tmp_path)) == {"bookings", "others"}
    (tmp_path / "c.yaml").write_text(
        CONTRACT.replace("BK-{dataset}", "BK-bookings").replace("name: bookings\nversion", "name: third\nversion")
    )
    with pytest.raises(
        ContractInvalid, match=r"c\.yaml: fileName: a\.yaml may give a file the same name \(bk-bookings\."
    ):
        reader.load(tmp_path)


CLASHES = {
    "a digit less": ("f{revision}_{start}_{part}.csv", "f1{revision}_{start}_{part}.csv"),
    "case alone": ("Pay_{start}_{revision}_{part}.csv", "pay_{start}_{revision}_{part}.CSV"),
    "a place for the same digits": ("a_{start}_{revision}_{part}.csv", "a_{start}_{revision}_1{part}.csv"),
    "a name that looks like the other's places": ("x_{start}_{revision}_{part}.csv", "x_{start}_{part}_{revision}.csv"),
}
APART = {
    "a letter": ("f{revision}_{start}_{part}.csv", "g{revision}_{start}_{part}.csv"),
    "the dataset": ("{dataset}_{start}_{revision}_{part}.csv", "{dataset}_{start}_{revision}_{part}.csv"),
    "a letter behind the numbers": ("f{revision}_{start}_{part}.csv", "f{revision}_{start}_{part}.txt"),
    "a mark between the numbers": ("f{revision}_{start}_{part}.csv", "f{revision}-{start}_{part}.csv"),
}


def named(tmp_path: Path, names: tuple[str, str]) -> Path:
    """Two contracts whose files are named so."""
    for number, name in enumerate(names):
        text = CONTRACT.replace("BK-{dataset}.{start}.r{revision}.p{part}-{parts}.txt", name)
        (tmp_path / f"{number}.yaml").write_text(text.replace("name: bookings\nversion", f"name: d{number}\nversion"))
    return tmp_path


@pytest.mark.parametrize("case", CLASHES)
def test_two_contracts_whose_files_could_have_one_name_are_refused_with_that_name(case: str, tmp_path: Path) -> None:
    """A revision of one would replace a revision of the other at the partner, or in a file system without case."""
    with pytest.raises(ContractInvalid) as caught:
        reader.load(named(tmp_path, CLASHES[case]))
    example = re.search(r"1\.yaml: fileName: 0\.yaml may give a file the same name \((.+)\)", caught.value.message)
    assert example is not None


@pytest.mark.parametrize("case", APART)
def test_two_contracts_whose_files_never_have_one_name_are_read(case: str, tmp_path: Path) -> None:
    assert len(reader.load(named(tmp_path, APART[case]))) == 2


def test_a_file_name_may_hold_the_version_and_is_recognised_by_it() -> None:
    contract = sample_contract(CONTRACT.replace("BK-{dataset}", "BK-v{version}-{dataset}"))
    name = contract.file_for(Delivery(Slot("bookings", WINDOW), 2), 1, 1)
    assert name.startswith("BK-v2.3.4-bookings.")
    assert contract.recognise(f"ERR_{name}.pgp") == (START, 2, 1)
    assert contract.recognise(name.replace("2.3.4", "2.3.5")) is None


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "../1.0.0", "1.0.0-rc1"])
def test_a_version_is_three_numbers(version: str) -> None:
    with pytest.raises(ContractInvalid, match="is not a version of three numbers"):
        sample_contract(CONTRACT.replace("version: 2.3.4", f'version: "{version}"'))


def test_a_misspelt_property_of_a_column_is_refused_as_it_would_disclose_the_column() -> None:
    with pytest.raises(ContractInvalid, match=r"is_internal\.customProperties: sharde is not one of shared, unit"):
        sample_contract(CONTRACT.replace("property: shared", "property: sharde"))
    with pytest.raises(ContractInvalid, match="shared: 'no' must be true or false"):
        sample_contract(CONTRACT.replace("value: false}]", 'value: "no"}]'))


def test_a_directory_without_contracts_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ContractInvalid, match="There is no contract"):
        reader.load(tmp_path)


DELIVERIES = st.builds(
    lambda hour, revision: Delivery(Slot("bookings", Window.hour(START + hour * HOUR)), revision),
    st.integers(-100_000, 100_000),
    st.integers(1, 50),
)


@given(DELIVERIES, DELIVERIES, st.integers(1, 20), st.integers(1, 20))
def test_no_two_deliveries_or_parts_share_a_file_name(one: Delivery, other: Delivery, part: int, another: int) -> None:
    dataset = sample_contract()
    same = (one, part) == (other, another)
    assert (dataset.file_for(one, part, 20) == dataset.file_for(other, another, 20)) == same


def test_a_file_name_follows_its_template() -> None:
    delivery = Delivery(Slot("bookings", WINDOW), 2)
    assert sample_contract().file_for(delivery, 3, 4) == "BK-bookings.20261123T130000Z.r2.p3-4.txt"


@given(
    DELIVERIES,
    st.integers(1, 20),
    st.sampled_from(["", "ERR_", "2026/11/23/", "x-1-"]),
    st.sampled_from(["", ".pgp", ".pgp.error", "_rejected_20261123.csv", " (1)"]),
)
def test_a_file_of_ours_is_recognised_in_whatever_name_the_partner_makes_of_it(
    delivery: Delivery, part: int, before: str, after: str
) -> None:
    name = before + sample_contract().file_for(delivery, part, 20) + after
    assert sample_contract().recognise(name) == (delivery.slot.window.start, delivery.revision, part)


@given(
    st.text(max_size=40)
    | st.from_regex(r"BK-bookings\.[0-9]{8}T[0-9]{6}Z\.r[0-9]{1,30}\.p[0-9]{1,9}-[0-9]{1,3}\.txt", fullmatch=True)
)
def test_whatever_a_file_is_called_it_is_recognised_or_not(name: str) -> None:
    found = sample_contract().recognise(name)
    assert found is None or stamp(found[0]) in name


def test_a_file_of_another_dataset_is_not_recognised() -> None:
    name = sample_contract().file_for(Delivery(Slot("bookings", WINDOW), 1), 1, 1)
    other = sample_contract(CONTRACT.replace("name: bookings\nversion", "name: others\nversion"))
    assert other.recognise(name) is None


def test_a_file_whose_name_ends_as_another_s_is_that_of_its_own_dataset() -> None:
    longer = sample_contract(CONTRACT.replace('"BK-{dataset}', '"NOBK-{dataset}'))
    name = longer.file_for(Delivery(Slot("bookings", WINDOW), 2), 1, 1)
    for contracts in ((sample_contract(), longer), (longer, sample_contract())):
        for said in (f"ERR_{name}.pgp", f"ERR_{name}".upper(), name.lower()):
            assert recognised(said, contracts) == (longer, (START, 2, 1))


def test_a_column_is_found_by_its_name_in_the_file() -> None:
    dataset = sample_contract()
    assert dataset.column("booking").source == "booking_no"
    with pytest.raises(KeyError):
        dataset.column("booking_no")


def test_contracts_do_not_change_after_they_were_read() -> None:
    dataset = sample_contract()
    assert isinstance(reader.load(HERE / "contracts"), Mapping)
    assert replace(dataset, filter=None) != dataset
    with pytest.raises(AttributeError):
        dataset.filter = None  # type: ignore[misc]  # just that must fail
