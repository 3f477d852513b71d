"""Descriptions of returned files are read whole, or refused with a sentence that stops no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.processes import repository
from pipeline.contracts import reader
from pipeline.contracts.returned import Descriptions, load, read

GOOD = "pattern: '^ERR'\nmeans: error\nformat: csv\nkey: [id]\nreason: why\nreasons: [A]\n"


def found(directory: Path, **files: str) -> Descriptions:
    """What is loaded of these files."""
    (directory / "returns").mkdir()
    for name, text in files.items():
        (directory / "returns" / f"{name}.yaml").write_text(text)
    return load(directory)


def test_the_one_in_the_documents_is_one() -> None:
    guide = (repository() / "docs" / "writing-contracts.md").read_text(encoding="utf-8")
    text = guide.split("## Files that the partner returns")[1].split("```yaml\n")[1].split("```")[0]
    description = read(text, where="returns/errors.yaml")
    assert (description.means, description.key, description.reasons) == (
        "error",
        ("payment_id",),
        ("BAD_IBAN", "TOO_LARGE"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pattern: [", "returns/bad.yaml line 1: this is not YAML"),
        ("- 1", "returns/bad.yaml: this is no description; write pattern: and means:"),
        ("means: error", "returns/bad.yaml: pattern: Field required"),
        ("pattern: '('\nmeans: error", "returns/bad.yaml: pattern: Value error, is not a regular expression"),
        ("pattern: a\nmeans: maybe", "returns/bad.yaml: means: Input should be 'error'"),
        ("pattern: a\nmeans: rows", "means: rows needs a format"),
        ("pattern: a\nmeans: error\nreason: why", "key and reason are columns of rows, and need a format"),
        ("pattern: a\nmeans: error\nformat: csv\nreasons: [A]", "reasons are words of the column that reason names"),
        ("pattern: a\nmeans: error\nformat: xml", "returns/bad.yaml: format: Input should be 'csv' or 'jsonl'"),
        ("pattern: a\nmeans: error\ncolumn: x", "returns/bad.yaml: column: is not a field of a description"),
        ("pattern: a\nmeans: error\nsha256: x", "returns/bad.yaml: sha256: is not a field of a description"),
    ],
)
def test_a_mistake_is_said_with_its_place_and_the_other_descriptions_are_used(
    tmp_path: Path, text: str, said: str
) -> None:
    descriptions = found(tmp_path, bad=text, good=GOOD)
    (problem,) = descriptions.problems
    assert said in problem
    assert [description.name for description in descriptions.usable] == ["good.yaml"]


def test_a_description_that_is_no_text_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "returns").mkdir()
    (tmp_path / "returns" / "bad.yaml").write_bytes(b"\xff\xfe")
    assert load(tmp_path).problems == ("returns/bad.yaml: cannot be read as text",)


def test_of_two_that_match_none_is_used_and_both_are_named(tmp_path: Path) -> None:
    descriptions = found(tmp_path, one=GOOD, two="pattern: RR\nmeans: neither")
    assert descriptions.of("ERROR.csv") is None
    assert descriptions.problem("ERROR.csv") == "The descriptions one.yaml and two.yaml both match it; none is used."
    assert descriptions.of("MIRROR").name == "two.yaml"  # type: ignore[union-attr]
    assert descriptions.problem("none") is None


def test_descriptions_are_no_contracts(tmp_path: Path) -> None:
    shipped = repository() / "pipeline" / "contracts" / "payments.yaml"
    (tmp_path / "payments.yaml").write_text(shipped.read_text(encoding="utf-8"))
    found(tmp_path, one=GOOD)
    assert list(reader.load(tmp_path)) == ["payments"]


def test_none_is_shipped_because_nothing_is_known_of_a_partner_s_files() -> None:
    assert load(repository() / "pipeline" / "contracts") == Descriptions()
