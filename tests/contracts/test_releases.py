"""Released contracts: what is shipped is released, and what was not raised enough, or not told, is noticed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.__main__ import main
from pipeline.contracts import releases
from pipeline.contracts.reader import load, read
from pipeline.errors import ContractInvalid
from pipeline.settings import HERE
from tests.contracts.test_compatibility import BASE

DOCS = HERE.parent / "docs" / "contracts"
WIDER = BASE.replace("'EU', 'UK'", "'EU', 'UK', 'US'")
LONGER = BASE.replace("maxLength: 36", "maxLength: 64")


def version(text: str, number: str) -> str:
    """The contract under another version."""
    return text.replace("1.4.2", number)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A directory in which 1.4.2 is released."""
    releases.release(read(BASE, where="orders.yaml"), tmp_path / "docs")
    return tmp_path / "docs"


def problems(text: str, docs: Path) -> list[str]:
    """What stands against deploying the contract."""
    return releases.problems({"orders": read(text, where="orders.yaml")}, docs)


def command(*words: str) -> tuple[int, str]:
    """Exit code and output of `contract`."""
    done = CliRunner().invoke(main, ["contract", *words])
    return done.exit_code, done.output


def test_the_shipped_contracts_are_released_and_their_pages_are_current() -> None:
    assert releases.problems(load(HERE / "contracts"), DOCS) == []


def test_a_contract_as_it_was_released_has_no_problem(docs: Path) -> None:
    assert problems(BASE, docs) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BASE + "# said\n", "orders: version 1.4.2 was released with another text"),
        (version(LONGER, "1.5.0"), "the change from 1.4.2 needs at least version 2.0.0, not 1.5.0"),
        (version(WIDER, "1.4.3"), "the change from 1.4.2 needs at least version 1.5.0, not 1.4.3"),
        (version(BASE, "1.4.1"), "version 1.4.2 was released before; 1.4.1 is not after it"),
        (version(WIDER, "1.5.0"), "orders: 1.5.0 is not released; run python -m pipeline contract release"),
    ],
)
def test_a_change_that_was_not_raised_or_reported_enough_is_a_problem(docs: Path, text: str, problem: str) -> None:
    (found,) = problems(text, docs)
    assert problem in found


def test_a_contract_that_was_never_released_is_a_problem(tmp_path: Path) -> None:
    assert problems(BASE, tmp_path) == ["orders: 1.4.2 is not released; run python -m pipeline contract release"]


def test_a_page_that_was_edited_by_hand_is_a_problem(docs: Path) -> None:
    page = docs / "orders.md"
    page.write_text(page.read_text().replace("first", "second"))
    assert problems(BASE, docs) == ["orders: docs page is not current; run python -m pipeline contract release"]
    page.unlink()
    assert problems(BASE, docs) == ["orders: docs page is not current; run python -m pipeline contract release"]


def test_a_release_keeps_the_text_and_tells_the_change_on_the_page(docs: Path) -> None:
    releases.release(read(version(WIDER, "1.5.0"), where="orders.yaml"), docs)
    releases.release(read(version(LONGER, "2.0.0"), where="orders.yaml"), docs)
    assert [one.version for one in releases.released(docs, "orders")] == ["1.4.2", "1.5.0", "2.0.0"]
    page = (docs / "orders.md").read_text()
    assert page.index("## orders: contract 1.5.0 becomes 2.0.0") < page.index("## orders: contract 1.4.2 becomes 1.5.0")
    assert "- rows that pass `in_program AND region IN ('EU', 'UK', 'US')`" in page
    assert "are not sent again, unless you ask for them" in page
    with pytest.raises(ContractInvalid, match=r"version 1\.5\.0 was released with another text"):
        releases.release(read(version(LONGER, "1.5.0"), where="orders.yaml"), docs)
    releases.release(read(version(WIDER, "1.5.1"), where="orders.yaml"), docs)  # the old one lives on for a time


def test_the_command_says_what_a_change_does_by_text_json_and_notice(tmp_path: Path) -> None:
    old, new, notice = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "notice.md"
    old.write_text(BASE)
    new.write_text(version(LONGER, "2.0.0"))
    code, text = command("diff", str(old), str(new))
    assert code == 1
    assert "Readers by name: backward. Readers by position: backward." in text
    assert "Who must move first: the partner does" in text
    assert "Least version: 2.0.0 (major)." in text
    code, text = command("diff", str(old), str(new), "--json", "--notice", str(notice))
    (found,) = json.loads(text)
    assert (code, found["by_name"], found["level"], found["version_enough"]) == (1, "backward", "major", True)
    assert found["changes"][0]["old"] == "max_length 36"
    assert "contract 1.4.2 becomes 2.0.0" in notice.read_text()
    assert command("diff", str(old), str(old))[0] == 0


def test_a_change_that_the_partner_need_not_know_of_beforehand_is_well(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(BASE)
    new.write_text(version(BASE.replace("maxLength: 36", "maxLength: 32"), "1.5.0"))
    assert command("diff", str(old), str(new))[0] == 0
    new.write_text(version(WIDER, "1.5.0"))
    assert command("diff", str(old), str(new))[0] == 1


def test_the_command_compares_with_any_commit(tmp_path: Path) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text(BASE)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"], ["tag", "v1"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    file.write_text(version(WIDER, "1.5.0"))
    code, text = command("diff", "--against", "v1", str(file))
    assert (code, "Newly disclosed: rows that pass" in text) == (1, True)
    assert command("diff", "--against", "nothing", str(file))[0] == 2
    assert command("diff", str(file))[0] == 2


def test_the_check_fails_until_the_release_is_made(tmp_path: Path) -> None:
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    (contracts / "orders.yaml").write_text(BASE)
    places = ("--contracts", str(contracts), "--docs", str(tmp_path / "docs"))
    assert command("check", *places)[0] == 1
    assert command("release", *places)[0] == 0
    assert command("check", *places) == (0, "Every contract is released, and its page is current.\n")
    (contracts / "orders.yaml").write_text(LONGER)
    assert command("check", *places)[0] == 1
    assert command("release", *places)[0] == 2
