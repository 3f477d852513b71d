"""The report: a month with a bad day, worked out by hand, and looked at in a real browser and on paper."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from selenium import webdriver

from localcloud.processes import repository
from pipeline.clients.counts import PartCount
from pipeline.contracts.promise import Promise
from pipeline.evidence.access import Access
from pipeline.evidence.figures import figures
from pipeline.evidence.gathering import Gathered, Proof, Story
from pipeline.evidence.report import Report, page
from pipeline.keys import KeyState
from pipeline.records.audit import Finding, Verified
from pipeline.records.folder import Entry
from pipeline.records.schema import Certificate, Change, Failed, Plan, Refused, Violation
from pipeline.states import StateName, Verdict
from pipeline.status.grid import Cell
from pipeline.window import HOUR, Slot, Window
from tests.browser import browser, kept, looked_through, shown

__all__ = ["browser"]

START: Final = datetime(2026, 11, 1, tzinfo=UTC)
MONTH: Final = Window(START, START + timedelta(days=30))
PROMISE: Final = Promise(30, 99, 30)
BAD_DAY: Final = START + timedelta(days=12)
EVIL: Final = "<script>alert(1)</script>"


def plan(slot: Slot, revision: int, at: datetime, rows: int) -> Plan:
    """A plan of one part."""
    part = PartCount(1, rows, rows, 50 * rows, "0", {})
    start, end = slot.window.start, slot.window.end
    return Plan(
        created=at, dataset=slot.dataset, contract="1.0.0", contract_sha256="ab" * 32, start=start, end=end,
        revision=revision, snapshot=at, rows=rows, parts=(part,), cause="1234",
    )  # fmt: skip


def certificate(at: datetime, verdict: Verdict, *problems: str) -> Certificate:
    """A certificate."""
    return Certificate(
        created=at, verdict=verdict, full=False, rows_planned=9, rows_now=9, fingerprint_planned=None,
        fingerprint_now="0", change=Change(), files=(), problems=problems,
    )  # fmt: skip


def stories() -> Iterator[Story]:
    """Payments of a month: on the bad day nine hours are late, one of them refused first, and one is missing still."""
    for number, hour in enumerate(MONTH.hours()):
        slot, ready = Slot("payments", hour), hour.end + timedelta(minutes=5)
        state: StateName = "certified"
        late = timedelta(minutes=6 + number % 5)
        entries = [Entry("r1/plan", plan(slot, 1, ready, 1000))]
        if BAD_DAY <= hour.start < BAD_DAY + 9 * HOUR:
            late = timedelta(hours=3, minutes=number % 7)
            given = {"stage": "upload", "code": "partner-unavailable", "retryable": True, "reason": "It is down."}
            failed = Failed.model_validate({"created": ready, "attempt": "a", **given})
            entries.append(Entry("r1/failed-x", failed))
        if hour.start == BAD_DAY:
            rules = (Violation("currency", "pattern", 15, ("k",)),)
            refused = Refused(created=ready, part=1, cause="1234", rules=rules)
            entries += [Entry("r1/refused", refused), Entry("r2/plan", plan(slot, 2, ready + HOUR, 1000))]
        revision = 2 if hour.start == BAD_DAY else 1
        cell = Cell(slot, state, revision, rows=1000, bytes=50_000, sealed_bytes=20_000, late=late)
        if hour.start == BAD_DAY + 12 * HOUR:
            cell, entries = Cell(slot, "missing", 0, problems=(f"nothing is recorded {EVIL}",)), []
        else:
            entries.append(Entry("r1/certificate-1", certificate(ready + 2 * HOUR, "certified")))
        yield Story(cell, tuple(entries))


def report(*, findings: tuple[Finding, ...] = (), accesses: tuple[Access, ...] | None = None) -> Report:
    """The report of the month."""
    proof = Proof(MONTH.start, MONTH.end, (), Verified(720, 4321, 0, MONTH.end, findings))
    gathered = Gathered(MONTH, {"payments": PROMISE}, tuple(stories()), (), (), proof, {})
    keys = (
        KeyState(
            "partner's encryption key", "0123456789ABCDEF" * 2, 90, ends=MONTH.end, detail="encryption with cv25519"
        ),
        KeyState("our signing key", "", None, "The key has expired."),
    )
    return Report(
        project="psp-production",
        partner="sftp.partner.example",
        gathered=gathered,
        figures=figures(gathered, MONTH.end),
        keys=keys,
        cipher="AES-256",
        accesses=accesses,
        command="gcloud logging read",
        version="9.9.9",
    )


def words(made: Report) -> str:
    """What the page says."""
    text = re.sub(r"<(style|title)>.*?</\1>", " ", page(made), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_the_figures_of_a_month_with_a_bad_day_are_those_worked_out_by_hand() -> None:
    """720 hours: nine late, one of which nothing is known. 710 of 719 are 98.74 per cent; 99 were promised."""
    (account,) = report().figures.accounts
    assert (account.hours, account.proven, account.open, account.unfinished) == (720, 719, 1, 0)
    assert account.punctuality is not None
    assert (account.punctuality.in_time, account.punctuality.windows) == (710, 719)
    assert not account.punctuality.is_kept
    assert (account.revisions, account.refusals, account.with_rows) == (1, 1, 719)


def test_hours_in_a_row_that_went_wrong_alike_are_one_entry() -> None:
    first, rest, missing = report().figures.incidents
    assert (first.window, first.kinds) == (Window.hour(BAD_DAY), ("refused", "late"))
    assert (rest.window, rest.kinds) == (Window(BAD_DAY + HOUR, BAD_DAY + 9 * HOUR), ("late",))
    assert (missing.window.start, missing.state) == (BAD_DAY + 12 * HOUR, "missing")
    assert missing.done.startswith("Still open. ")


def test_the_page_says_all_of_it_in_sentences() -> None:
    text = words(report())
    assert "719 of 720 hourly deliveries are proven complete at the partner, or had nothing to send; 1 needs" in text
    assert "the punctuality promised for payments was not kept." in text
    assert "99 % of files at the partner within 30 minutes" in text
    assert "no: 98.74 % in this period 710 719" in text
    assert "payments, 2026-11-13 01:00 and the 7 hours after it" in text
    assert "At the partner 3 h 2 min after the hour&#39;s end; promised were 30 minutes." in text
    assert "Part 1 breaks the contract. currency: 15 rows break" in text
    assert "partner-unavailable 9" in text
    assert "720 signed pages" in text
    assert "nothing is missing, added or altered" in text
    found = words(report(findings=(Finding("record altered", "deliveries/x", "It is listed with another SHA-256."),)))
    assert "1 contradictions were found" in found
    assert "record altered deliveries/x: It is listed with another SHA-256." in found


def test_the_page_asks_the_network_for_nothing_and_obeys_nothing_from_outside() -> None:
    text = page(report())
    assert not re.search(r"https?://|<script|<link|<img|<iframe|url\((?!#)|@import|\bon\w+=", text)


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (420, "dark")])
def test_nothing_is_cut_and_a_checker_of_accessibility_finds_nothing(
    browser: webdriver.Chrome, tmp_path: Path, width: int, scheme: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(report()), encoding="utf-8")
    shown(browser, path, width, scheme)
    kept(browser, f"evidence-{width}-{scheme}.png")
    assert looked_through(browser, width) == []


def test_on_paper_everything_is_there_and_nothing_is_wider_than_the_page(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(report()), encoding="utf-8")
    shown(browser, path, 1400, "dark")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": True})
    pdf = repository() / "build" / "evidence.pdf"
    pdf.write_bytes(base64.b64decode(printed["data"]))
    assert pdf.read_bytes().startswith(b"%PDF")
    # A4 less its margins: 182 mm at 96 pixels an inch.
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 688, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    )
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 688
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
