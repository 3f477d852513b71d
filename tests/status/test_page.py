"""The page: one file that needs nothing else, read as text and looked at in a real browser where there is one."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from localcloud.processes import repository
from pipeline.contracts.promise import Promise
from pipeline.keys import KeyState
from pipeline.states import STATES, StateName
from pipeline.status.grid import Cell
from pipeline.status.page import Subject, page
from pipeline.window import HOUR, Slot, Window
from tests.browser import SIGHTS, browser, kept, looked_through, shown

__all__ = ["browser"]

NOON: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES: Final = ("identity", "payments")
SUBJECT: Final = Subject("psp-production", "sftp.partner.example", NAMES, {"payments": Promise(30, 99, 30)})
EVIL: Final = '<script>document.title="stolen"</script>"><b>'


def cell(name: str, hour: datetime, state: StateName, **more: Any) -> Cell:
    """One hour of a dataset."""
    return Cell(Slot(name, Window.hour(hour)), state, 1, **more)


def full() -> dict[datetime, dict[str, Cell]]:
    """Forty-eight hours in which every state occurs."""
    states: list[StateName] = list(STATES)
    grid = {}
    for number in range(48):
        hour, state = NOON - number * HOUR, states[number % len(states)]
        sent = {"rows": 1000 + number, "bytes": 50_000 + number, "late": timedelta(minutes=5 + number % 40)}
        grid[hour] = {
            "identity": cell("identity", hour, "certified", **sent),
            "payments": cell("payments", hour, state, **(sent if number % 5 else {}), problems=(f"why {number}",)),
        }
    return grid


KEYS: Final = (
    KeyState("partner's encryption key", "0123 4567", 12),
    KeyState("our signing key", "89AB CDEF", None),
    KeyState("SSH keys of the partner's server", "", None, "The server does not accept our key.", "key.unusable"),
)


def written(grid: Mapping[datetime, Mapping[str, Cell]] | None = None, keys: tuple[KeyState, ...] = KEYS) -> str:
    """The page of a grid."""
    return page(SUBJECT, grid or full(), keys, None, NOON + HOUR)


class Read(HTMLParser):
    """States of cells, labels of charts, the title, and all words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.states: list[str] = []
        self.charts: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "data-state" in given:
            self.states.append(given["data-state"])
        if tag == "svg" and "aria-label" in given:
            self.charts.append(given["aria-label"])

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_every_hour_of_every_dataset_is_there_with_its_state() -> None:
    grid = full()
    read = Read(written(grid))
    assert sorted(read.states) == sorted(one.state for row in grid.values() for one in row.values())


def test_the_banner_and_the_title_say_how_much_needs_attention() -> None:
    read = Read(written())
    wrong = sum(not one.well for row in full().values() for one in row.values())
    assert f"{wrong} deliveries and 2 keys need attention." in read.text
    assert f"{wrong} deliveries and 2 keys need attention · psp-production" in read.text
    assert "Nothing needs attention." in Read(written({NOON: {n: cell(n, NOON, "empty") for n in NAMES}}, ())).text
    one = {NOON: {"identity": cell("identity", NOON, "empty"), "payments": cell("payments", NOON, "missing")}}
    assert "1 delivery needs attention." in Read(written(one, ())).text


def test_what_needs_attention_stands_before_the_grid_with_its_command_and_runbook_section() -> None:
    text = written()
    assert text.index('id="attention"') < text.index("Every hour")
    assert "python -m pipeline status payments 2026-11-23T" in text
    assert "RUNBOOK.md#window-missing" in text
    assert "RUNBOOK.md#key-unusable" in text


def test_project_and_partner_are_named() -> None:
    assert "Deliveries to sftp.partner.example Project psp-production." in Read(written()).text


def test_a_chart_says_in_words_what_it_shows_and_draws_the_promise() -> None:
    text = written()
    assert any(
        re.fullmatch(
            r"payments: minutes from the window's end to the partner: 38 hours from .* without a delivery", said
        )
        for said in Read(text).charts
    )
    assert text.count('class="promise"') == 1  # payments alone has one
    assert text.count('class="unsent"') == 2 * 10


def test_the_page_asks_the_network_for_nothing_and_runs_no_script() -> None:
    assert not re.search(r"https?://|<script|<link|<img|<iframe|url\((?!#)|@import|\bon\w+=", written())


def test_what_comes_from_outside_is_shown_and_never_obeyed() -> None:
    grid = {NOON: {name: cell(name, NOON, "archive mismatch", problems=(EVIL,)) for name in NAMES}}
    text = written(grid, (KeyState("our key", EVIL, 3, EVIL, "key.unusable"),))
    assert "<script" not in text
    assert EVIL in "".join(Read(text).words)


def test_a_page_without_keys_says_why() -> None:
    text = page(SUBJECT, full(), [], "The server is down.", NOON + HOUR)
    assert "The keys could not be looked at: The server is down." in text


DEUTERANOPIA: Final = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
PROTANOPIA: Final = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
FULL_SIGHT: Final = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
"""What is left of linear red, green and blue (Machado, Oliveira and Fernandes 2009, table 1, severity 1.0)."""


def seen(colour: str, sight: tuple[tuple[float, ...], ...]) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.1) as somebody with this sight has it."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    left = [min(max(sum(w * value for w, value in zip(row, linear, strict=True)), 0), 1) for row in sight]
    return 0.2126 * left[0] + 0.7152 * left[1] + 0.0722 * left[2]


@pytest.mark.parametrize("sight", [FULL_SIGHT, DEUTERANOPIA, PROTANOPIA], ids=["full", "deuteranopia", "protanopia"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_settled_under_way_and_wrong_differ_in_lightness_whatever_colours_somebody_sees(
    scheme: str, sight: tuple[tuple[float, ...], ...]
) -> None:
    style = re.findall(r":root\{(.*?)\}", written(), re.S)[["light", "dark"].index(scheme)]
    colours = dict(re.findall(r"--(green|blue|red):(#[0-9a-f]{6})", style))
    shades = sorted(seen(colour, sight) for colour in colours.values())
    assert len(shades) == 3
    contrasts = [(lighter + 0.05) / (darker + 0.05) for darker, lighter in pairwise(shades)]
    assert min(contrasts) > 1.9, dict(zip(colours, shades, strict=True))


def test_what_is_not_begun_is_hollow_and_each_state_has_a_sign_of_its_own() -> None:
    assert re.search(r"\.grey\{box-shadow:inset[^}]*\}", written())
    assert "background:var(--grey)" not in written()
    assert len({state.sign for state in STATES.values()}) == len(STATES)


def test_somebody_who_sees_no_green_sees_the_page_too(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Kept as pictures for people; the lightness is tested above, and every cell says its state in words."""
    path = tmp_path / "page.html"
    path.write_text(written(), encoding="utf-8")
    shown(browser, path, 1400, "light")
    browser.execute_cdp_cmd("Emulation.setEmulatedVisionDeficiency", {"type": "deuteranopia"})
    kept(browser, "page-deuteranopia.png")
    browser.execute_cdp_cmd("Emulation.setEmulatedVisionDeficiency", {"type": "none"})
    cells = browser.find_elements(By.CSS_SELECTOR, "td[data-state]")
    assert len(cells) == 2 * 48
    for one in cells:
        words = one.find_element(By.CSS_SELECTOR, ".hidden").get_attribute("textContent")
        assert f": {one.get_attribute('data-state')}" in str(words)


def test_on_paper_every_hour_is_there_in_its_colour_and_nothing_is_wider_than_the_page(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    path.write_text(written(), encoding="utf-8")
    shown(browser, path, 688, "dark")  # A4 less its margins: 182 mm at 96 pixels an inch
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 688
        cells = browser.find_elements(By.CSS_SELECTOR, "td[data-state]")
        assert len(cells) == 2 * 48
        assert all(0 < one.rect["x"] + one.rect["width"] <= 688 and one.rect["height"] > 0 for one in cells)
        assert all(one.find_element(By.CSS_SELECTOR, ".figures").is_displayed() for one in cells[:4])
        assert {one.value_of_css_property("print-color-adjust") for one in cells[:4]} == {"exact"}
        printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    pdf = repository() / "build" / "page.pdf"
    pdf.parent.mkdir(exist_ok=True)
    pdf.write_bytes(base64.b64decode(printed["data"]))
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(("width", "scheme"), SIGHTS)
def test_nothing_is_cut_and_a_checker_of_accessibility_finds_nothing(
    browser: webdriver.Chrome, tmp_path: Path, width: int, scheme: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(written(), encoding="utf-8")
    shown(browser, path, width, scheme)
    kept(browser, f"page-{width}-{scheme}.png")
    assert looked_through(browser, width) == []


def test_on_a_phone_hours_are_rows_and_the_newest_comes_first(browser: webdriver.Chrome, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(written(), encoding="utf-8")
    shown(browser, path, 420, "light")
    rows = browser.find_elements(By.CSS_SELECTOR, ".grid tbody tr")
    assert rows[0].rect["y"] < rows[1].rect["y"]
    assert rows[0].text.startswith("23 Nov")
    first, second = rows[0].find_elements(By.CSS_SELECTOR, "td")
    assert first.rect["y"] == second.rect["y"]
    shown(browser, path, 1400, "light")
    rows = browser.find_elements(By.CSS_SELECTOR, ".grid tbody tr")
    assert rows[0].rect["x"] < rows[1].rect["x"]
