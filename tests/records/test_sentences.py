"""What records say in sentences: each rule of a contract in its own words, and every rule that the checks know."""

from __future__ import annotations

import re

import pytest

from localcloud.processes import repository
from pipeline.contracts.dataset import Column, Dataset
from pipeline.contracts.reader import load
from pipeline.contracts.returned import Reason
from pipeline.records import sentences
from pipeline.records.schema import Rejected, Violation
from pipeline.records.sentences import rejection, violation

PAYMENTS: Dataset = load(repository() / "pipeline" / "contracts")["payments"]


@pytest.mark.parametrize(
    ("column", "rule", "rows", "said"),
    [
        ("currency", "pattern", 15, "currency: 15 rows break ^[A-Z]{3}$"),
        ("currency", "pattern", 1, "currency: 1 row breaks ^[A-Z]{3}$"),
        ("currency", "required", 1200, "currency: 1,200 rows have no value"),
        ("payment_id", "maxLength", 2, "payment_id: 2 rows are longer than 36 characters"),
        ("payment_id", "minLength", 2, "payment_id: 2 rows are shorter than 1 characters"),
        ("amount", "minimum", 1, "amount: 1 row is below 0"),
        ("amount", "scale", 3, "amount: 3 rows have more than 2 decimal places"),
        ("amount", "precision", 3, "amount: 3 rows have more digits than NUMERIC(18, 2)"),
        ("status", "enum", 1, "status: 1 row is none of created, pending, executed, rejected, returned"),
        ("updated_at", "window", 1, "updated_at: 1 row is of another hour"),
        ("payment_id", "unique", 4, "payment_id: 4 rows have the key of another row"),
        ("no_longer_there", "pattern", 2, "no_longer_there: 2 rows break the rule pattern"),
        ("currency", "of a later version", 2, "currency: 2 rows break the rule of a later version"),
    ],
)
def test_a_broken_rule_is_said_with_its_numbers(column: str, rule: str, rows: int, said: str) -> None:
    assert violation(Violation(column, rule, rows, ()), PAYMENTS) == said


def test_every_rule_that_the_checks_know_has_its_words() -> None:
    code = (repository() / "pipeline" / "deliver" / "rows.py").read_text(encoding="utf-8")
    rules = set(re.findall(r"_Rule\([\w.]+, \"(\w+)\"", code)) | set(re.findall(r"broke\([\w.]+, \"(\w+)\"", code))
    assert {"pattern", "scale", "window", "nul"} <= rules
    column = Column("c", "c", "NUMERIC", allowed=("a",))
    assert all(sentences._BREAKS[rule](column).split()[0] in sentences._SINGULAR for rule in rules)


def test_of_many_allowed_values_some_are_listed() -> None:
    said = sentences._BREAKS["enum"](Column("c", "c", "STRING", allowed=tuple("abcdefghijklmn")))
    assert said == "are none of a, b, c, d, e, f, g, h, i, j and 4 more"


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (None, ""),
        ((), ", 0 rows"),
        ((Reason("BAD_IBAN", 1200, ()), Reason("other", 1, ())), ", 1,201 rows: 1,200 BAD_IBAN, 1 other"),
    ],
)
def test_a_rejection_names_both_files_and_counts_rows_where_they_were_read(
    reasons: tuple[Reason, ...] | None, said: str
) -> None:
    record = Rejected(part=1, file_name="ERR.csv", returned="returns/ERR.csv/1-1.json", reasons=reasons)
    assert rejection("p.pgp", record) == f"the partner rejected p.pgp: it returned ERR.csv{said}"
