"""The tables of the report, as texts: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.evidence.figures import Account, Use

if TYPE_CHECKING:
    from pipeline.evidence.report import Report

Row = tuple[str, ...]


def tables(report: Report) -> dict[str, object]:
    """The rows of every table, by the name that the template has for it."""
    figures = report.figures
    return {
        "promises": [_promise(account) for account in figures.accounts],
        "deliveries": ([(account.dataset, "figure") for account in figures.accounts], _delivered(figures.accounts)),
        "troubles": [(trouble.code, f"{trouble.records:,}") for trouble in figures.troubles],
        "revisions": [
            (one.dataset, utc(one.hour), str(one.number), utc(one.at), f"{one.rows:,}", one.reason)
            for one in figures.revisions
        ],
        "refusals": [
            (one.dataset, utc(one.hour), str(one.revision), utc(one.at), "; ".join(one.rules))
            for one in figures.refusals
        ],
        "returned": _returned(report),
        "keys": [
            (key.key, key.fingerprint or "-", _end(key.ends, known=not key.trouble), key.trouble or key.detail)
            for key in report.keys
        ],
        "used_keys": _uses(figures.keys),
        "contracts": _uses(figures.contracts),
        "accesses": [
            (one.who, one.secret, f"{one.times:,}", f"{one.refused:,}", utc(one.first), utc(one.last))
            for one in report.accesses or ()
        ],
    }


def utc(instant: datetime) -> str:
    """A time as the report says it."""
    return f"{instant:%Y-%m-%d %H:%M}"


def _promise(account: Account) -> Row:
    kept = account.punctuality
    if kept is None:
        return (account.dataset, "nothing about time", "-", "-", "-")
    promise = kept.promise
    promised = (
        f"{promise.percent:g} % of files at the partner within {promise.minutes:g} minutes, over {promise.days} days"
    )
    said = f"{'yes' if kept.is_kept else 'no'}: {int(kept.percent * 100) / 100:g} % in this period"
    return (account.dataset, promised, said, f"{kept.in_time:,}", f"{kept.windows:,}")


def _delivered(accounts: Sequence[Account]) -> list[Row]:
    """A line for each figure, so that a reader compares data sets side by side."""
    figures = {
        "hours of the period": [f"{account.hours:,}" for account in accounts],
        "of these proven complete, or without rows": [f"{account.proven:,}" for account in accounts],
        "need attention": [f"{account.open:,}" for account in accounts],
        "not due, or not finished": [f"{account.unfinished:,}" for account in accounts],
        "hours with rows": [f"{account.with_rows:,}" for account in accounts],
        "files at the partner": [f"{account.files:,}" for account in accounts],
        "rows in these files": [f"{account.rows:,}" for account in accounts],
        "megabytes of CSV": [f"{account.csv_bytes / 1e6:,.1f}" for account in accounts],
        "megabytes encrypted": [f"{account.sealed_bytes / 1e6:,.1f}" for account in accounts],
        "made anew with other content": [f"{account.revisions:,}" for account in accounts],
        "refused, as rows broke the contract": [f"{account.refusals:,}" for account in accounts],
    }
    return [(name, *values) for name, values in figures.items()]


def _returned(report: Report) -> list[Row]:
    return [
        (
            file.file_name,
            utc(file.created),
            f"{file.size:,}",
            f"{file.dataset} {utc(file.start)}" if file.start else "no delivery",
            f"{'error' if file.error else 'no error'}, {file.outcome}",
            file.signature,
            "; ".join(
                filter(None, (file.problem, *(f"{one.rows:,} rows: {one.reason}" for one in file.reasons or ())))
            ),
        )
        for file in report.gathered.returned
    ]


def _end(ends: datetime | None, *, known: bool) -> str:
    return (utc(ends) if ends else "no end") if known else "-"


def _uses(entries: Iterable[Use]) -> list[Row]:
    return [(use.what, use.name, f"{use.times:,}", utc(use.first), utc(use.last)) for use in entries]
