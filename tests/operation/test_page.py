"""`status --html`: one page that needs nothing else, looked at in a real browser where there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.keys import KeyState
from pipeline.status.grid import Cell, grid
from pipeline.status.page import page
from pipeline.window import Slot, Window
from tests.operation.operator import Operator

BROWSERS = [path for path in (shutil.which(name) for name in ("chromium", "google-chrome")) if path]
HOURS = 168
"""A week: further back than any test of this package goes."""

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

Dom = Callable[[Path], str]


@pytest.fixture(params=["as written", *BROWSERS])
def dom(request: pytest.FixtureRequest, tmp_path: Path) -> Dom:
    """The document: as it is in the file, and as a browser without a network understands it."""

    def browse(path: Path) -> str:
        if request.param == "as written":
            return path.read_text(encoding="utf-8")
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND")
        command = [request.param, *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()]
        return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout.decode()

    return browse


class _Read(HTMLParser):
    """Cells by state, chart bars by height, and rows of the two lists."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.states: list[str] = []
        self.titles: list[str] = []
        self.heights: list[float] = []
        self.charts: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "data-state" in given:
            self.states.append(given["data-state"])
            self.titles.append(given["title"])
        if tag == "rect":
            self.heights.append(float(given["height"]))
        if tag == "svg":
            self.charts.append(given["aria-label"])

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_shows_every_hour_the_volume_the_duration_and_the_keys(
    operator: Operator, dom: Dom, tmp_path: Path
) -> None:
    hour = operator.delivered(12)
    file = tmp_path / "status.html"
    answer = operator.run("status", "--html", str(file), "--hours", str(HOURS), "--json")
    cells = json.loads(answer.stdout)["cells"]
    read = _Read(dom(file))
    assert sorted(read.states) == sorted(cell["state"] for cell in cells)
    assert len(read.states) == HOURS * len(operator.deployment.datasets)
    assert any(f"payments {hour[:10]} {hour[11:16]} r1: certified, 12 rows" in title for title in read.titles)
    kinds = ("rows an hour", "seconds from plan to partner")
    assert read.charts == [f"{name}: {kind}" for name in sorted(operator.deployment.datasets) for kind in kinds]
    assert len(read.heights) == HOURS * len(read.charts)
    assert max(read.heights) == 90.0
    text = " ".join(read.words)
    assert operator.deployment.cloud.partner_key.fingerprint in text
    assert "no end" in text


def test_the_page_asks_the_network_for_nothing_and_runs_no_script(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "status.html"
    operator.run("status", "--html", str(file), "--hours", "2")
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<link|<img|<iframe|url\(|@import|\bon\w+=", text)


def test_what_comes_from_outside_is_shown_and_never_obeyed(dom: Dom, tmp_path: Path) -> None:
    evil = '<script>document.title="stolen"</script>"><b>'
    slot = Slot("payments", Window.hour(NOON))
    cells = {NOON: {"payments": Cell(slot, "archive mismatch", 1, problems=(evil,))}}
    file = tmp_path / "page.html"
    file.write_text(page(cells, ["payments"], [KeyState("our key", evil, 3, evil)], None, NOON), encoding="utf-8")
    read = _Read(dom(file))
    assert "".join(read.words).count(evil) == 3
    assert evil in read.titles[0]
    assert "stolen" not in read.words[0]


def test_a_page_without_keys_says_why() -> None:
    found = grid([], NOON) or {NOON: {"payments": Cell(Slot("payments", Window.hour(NOON)), "empty", 1)}}
    text = page(found, ["payments"], [], "The server is down.", NOON + timedelta(hours=1))
    assert "The keys could not be looked at: The server is down." in text
    assert "Nothing needs attention." in text
