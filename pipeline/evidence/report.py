"""The report of a period for people who do not know the system: one page without a network. Pure text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from pipeline.evidence.access import Access
from pipeline.evidence.figures import Account, Figures
from pipeline.evidence.gathering import Gathered, Proof
from pipeline.evidence.tables import tables, utc
from pipeline.keys import KeyState
from pipeline.status.chart import Chart, Point, chart
from pipeline.status.grid import Cell
from pipeline.window import Window

HOURLY: Final = timedelta(days=4)
"""Longer periods are drawn by the day."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the page shows. `accesses` None: the data access log was not given; `command` prints it."""

    project: str
    partner: str
    gathered: Gathered
    figures: Figures
    keys: Sequence[KeyState]
    cipher: str
    accesses: Sequence[Access] | None
    command: str
    version: str


def page(report: Report) -> str:
    """The page as HTML, the same for the same report."""
    accounts, gathered = report.figures.accounts, report.gathered
    return _template().render(
        report=report,
        figures=report.figures,
        window=gathered.window,
        **tables(report),
        proof=gathered.proof,
        banner=banner(accounts),
        attention=any(account.open or _is_late(account) for account in accounts),
        ledger=ledger(gathered.proof),
        ledger_is_good=gathered.proof is not None and not gathered.proof.verified.findings,
        charts=[made for account in accounts for made in _charts(account, gathered)],
        unit="day" if _by_day(gathered.window) else "hour",
    )


def banner(accounts: Sequence[Account]) -> str:
    """The period in one sentence."""
    hours, proven = (sum(getattr(account, name) for account in accounts) for name in ("hours", "proven"))
    open_ = sum(account.open for account in accounts)
    rest = hours - proven - open_
    words = [f"{proven:,} of {hours:,} hourly deliveries are proven complete at the partner, or had nothing to send"]
    words += [f"{open_:,} {'needs' if open_ == 1 else 'need'} attention"] if open_ else []
    words += [f"{rest:,} {'is' if rest == 1 else 'are'} not due or not finished"] if rest else []
    late = [account.dataset for account in accounts if _is_late(account)]
    words += [f"the punctuality promised for {', '.join(late)} was not kept"] if late else []
    return "; ".join(words)


def _is_late(account: Account) -> bool:
    return account.punctuality is not None and not account.punctuality.is_kept


def ledger(proof: Proof | None) -> str:
    """What the ledger says of the period's records, in one sentence or two."""
    if proof is None:
        return "No page of a ledger covers the records of this period: only their own checksums vouch for them."
    verified = proof.verified
    result = (
        f"{len(verified.findings):,} contradictions were found, each listed below"
        if verified.findings
        else "nothing is missing, added or altered"
    )
    newer = (
        f" {verified.newer:,} records are later than the last page: nothing vouches for them yet."
        if verified.newer
        else ""
    )
    return (
        f"{verified.pages:,} signed pages, from {proof.start:%Y-%m-%d %H:%M} to {proof.end:%Y-%m-%d %H:%M}, list "
        f"{verified.records:,} records: {result}.{newer}"
    )


@cache
def _template() -> Template:
    loader = ChoiceLoader([PackageLoader("pipeline.evidence", "."), PackageLoader("pipeline.status", ".")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["utc"] = utc
    return environment.get_template("report.html.jinja")


def _by_day(window: Window) -> bool:
    return window.end - window.start > HOURLY


def _charts(account: Account, gathered: Gathered) -> Iterator[Chart]:
    cells = [story.cell for story in gathered.stories if story.cell.slot.dataset == account.dataset]
    spans = list(_spans(cells, by_day=_by_day(gathered.window)))
    unit = "a day" if _by_day(gathered.window) else "an hour"
    rows = [Point(start, _sum(cell.rows for cell in span)) for start, span in spans]
    yield chart(f"{account.dataset}: rows {unit}", rows, "{:,.0f}")
    promise = gathered.promises[account.dataset]
    late = [Point(start, _most(cell.late for cell in span)) for start, span in spans]
    longest = ", the longest of a day" if unit == "a day" else ""
    title = f"{account.dataset}: minutes from an hour's end to the partner{longest}"
    yield chart(title, late, "{:,.1f}", promise=promise.minutes if promise else None)


def _spans(cells: Sequence[Cell], *, by_day: bool) -> Iterator[tuple[datetime, list[Cell]]]:
    found: dict[datetime, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: cell.slot):
        start = cell.slot.window.start
        found.setdefault(start.replace(hour=0) if by_day else start, []).append(cell)
    yield from found.items()


def _sum(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(sum(known)) if known else None


def _most(values: Iterable[timedelta | None]) -> float | None:
    known = [value.total_seconds() / 60 for value in values if value is not None]
    return max(known) if known else None
