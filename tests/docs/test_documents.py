"""The documents tell the truth: tables, messages, contract, commands and links in them are those of the code."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localcloud.processes import repository
from pipeline import CHAIN, messages
from pipeline.contracts import reader
from tests.docs.reference import REFERENCE, with_tables

ROOT = repository()
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = REFERENCE.read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTS = sorted(path for pattern in ("*.md", "docs/**/*.md", "localcloud/**/*.md") for path in ROOT.glob(pattern))
NOW = datetime(2026, 11, 23, 16, tzinfo=UTC)
MESSAGES = re.findall(r"^\| `(\{.*?\})` \|", TEXT, re.M)


def test_the_generated_tables_are_those_of_the_code() -> None:
    assert with_tables(TEXT) == TEXT, "run `make docs`"


@pytest.mark.parametrize("text", MESSAGES)
def test_every_message_in_the_documents_is_accepted(text: str) -> None:
    known = ["identity", "payments", "transactions"]
    messages.read(text.encode(), message_id="1", published=NOW, now=NOW, known=known, max_age=timedelta(hours=1))


def test_the_contract_in_the_documents_is_one() -> None:
    guide = (ROOT / "docs" / "writing-contracts.md").read_text(encoding="utf-8")
    text = guide.split("```yaml\n")[1].split("```")[0]
    assert reader.read(text, where="writing-contracts.md").name == "refunds"


def test_every_make_target_in_the_documents_exists() -> None:
    named = {
        target
        for path in DOCUMENTS
        for target in re.findall(r"(?:`|^\$ )make ([a-z-]+)", path.read_text(encoding="utf-8"), re.M)
    }
    assert named >= {"demo", "test", "up", "check", "bench", "docs", "setup"}
    assert named <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))


def test_the_longest_window_in_the_documents_is_the_code_s() -> None:
    assert f"{messages.MAX_HOURS:,} hours" in TEXT


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_map_names_every_room_and_no_other() -> None:
    rooms = {path.name for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").exists()}
    assert set(re.findall(r"`pipeline/([a-z]+)/`", ARCHITECTURE)) == rooms


def test_every_module_of_the_pipeline_s_corridor_is_on_the_map() -> None:
    modules = {path.stem for path in (ROOT / "pipeline").glob("*.py")} - {"__init__", "__main__"}
    assert [name for name in modules if f"{name}.py" not in ARCHITECTURE] == []
    assert len(modules) + 2 <= 14


def test_every_path_that_the_map_names_exists() -> None:
    named = re.findall(r"`((?:contracts|deliver|certify|records|pgp|clients|streams|cli)/[a-z_/]+\.py)", ARCHITECTURE)
    assert named
    assert [name for name in named if not (ROOT / "pipeline" / name).exists()] == []


def test_stages_have_one_name_in_chain_and_map() -> None:
    steps = {step.step for step in CHAIN}
    assert steps >= {"plan", "seal", "upload", "certify", "collect", "keys"}


def test_the_notice_names_every_package_that_is_deployed() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    packages = re.findall(r"^([A-Za-z0-9_.-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.M)
    assert [name for name in packages if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", notice)] == []
