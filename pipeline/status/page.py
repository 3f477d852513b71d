"""Where all deliveries stand as one self-contained page: no script, no font, no picture from anywhere. Pure text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from pipeline.contracts.promise import Promise
from pipeline.keys import KeyState
from pipeline.states import STATES
from pipeline.status.chart import Chart, Point, chart
from pipeline.status.grid import Cell, Trouble, troubles, waiting
from pipeline.status.next_step import look_command, next_command
from pipeline.window import HOUR


@dataclass(frozen=True, slots=True)
class Subject:
    """What a page is about: the project, the partner, and the datasets in the order in which they are shown.

    `promises` says how punctual a dataset is promised to be, where its contract does.
    """

    project: str
    partner: str
    datasets: tuple[str, ...]
    promises: Mapping[str, Promise]


def page(
    subject: Subject,
    grid: Mapping[datetime, Mapping[str, Cell]],
    keys: Sequence[KeyState],
    keys_trouble: str | None,
    now: datetime,
) -> str:
    """The page. `grid` as `grid.grid` gives it; `keys_trouble` says why keys could not be looked at, if so."""
    hours = sorted(grid, reverse=True)
    cells = [grid[hour][name] for hour in hours for name in subject.datasets]
    wrong = [cell for cell in cells if not cell.well]
    bad_keys = [key for key in keys if key.needs_attention]
    quarantined = waiting(grid)
    return _template().render(
        banner=_banner(len(wrong), len(bad_keys), sum(one.rows for one in quarantined.values())),
        attention=bool(wrong or bad_keys or quarantined),
        project=subject.project,
        partner=subject.partner,
        names=subject.datasets,
        hours=hours,
        until=max(hours) + HOUR,
        now=now,
        troubles=[_Attention.of(trouble) for trouble in troubles(grid)],
        bad_keys=[_Key.of(key) for key in bad_keys],
        waiting={name: str(one) for name, one in quarantined.items()},
        rows=[_Row.of(hour, [grid[hour][name] for name in subject.datasets]) for hour in hours],
        legend=_legend(cells),
        charts=[made for name in subject.datasets for made in _charts(name, grid, subject.promises.get(name))],
        keys=[_Key.of(key) for key in keys],
        keys_trouble=keys_trouble,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("pipeline.status", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["utc"] = lambda instant: f"{instant:%Y-%m-%d %H:%M}"
    return environment.get_template("page.html.jinja")


def _banner(deliveries: int, keys: int, rows: int) -> str:
    counts = [_count(deliveries, "delivery", "deliveries")] if deliveries else []
    counts += [_count(keys, "key", "keys")] if keys else []
    counts += [_count(rows, "row in quarantine", "rows in quarantine")] if rows else []
    verb = "needs" if deliveries + keys + rows == 1 else "need"
    return f"{' and '.join(counts)} {verb} attention" if counts else "Nothing needs attention"


def _count(number: int, single: str, several: str) -> str:
    return f"{number} {single if number == 1 else several}"


@dataclass(frozen=True, slots=True)
class _Attention:
    """One entry of what needs attention: its sentences, the commands that show more and that come next, its section."""

    anchor: str
    dataset: str
    hours: str
    state: str
    meaning: str
    action: str
    problems: tuple[str, ...]
    commands: tuple[str, ...]
    section: str | None

    @classmethod
    def of(cls, trouble: Trouble) -> _Attention:
        state, start = STATES[trouble.state], trouble.window.start
        count = len(trouble.window)
        return cls(
            anchor=f"{trouble.dataset}-{start:%Y%m%dT%H}",
            dataset=trouble.dataset,
            hours=f"{start:%Y-%m-%d %H:%M}" + (f" and the {count - 1} hours after it" if count > 1 else ""),
            state=trouble.state,
            meaning=state.meaning,
            action=state.action,
            problems=trouble.problems,
            commands=(
                look_command(trouble.dataset, trouble.window),
                next_command(trouble.state, trouble.dataset, trouble.window),
            ),
            section=state.section,
        )


@dataclass(frozen=True, slots=True)
class _Square:
    """One hour of one dataset in the grid."""

    state: str
    colour: str
    sign: str
    figures: str
    text: str

    @classmethod
    def of(cls, cell: Cell) -> _Square:
        state = STATES[cell.state]
        figures = [f"{cell.rows:,} rows"] if cell.rows is not None else []
        figures += [f"{cell.bytes:,} bytes"] if cell.bytes is not None else []
        head = f"{cell.slot.dataset} {cell.slot.window.start:%Y-%m-%d %H:%M} r{cell.revision}: {cell.state}"
        text = "\n".join((", ".join((head, *figures)), *cell.problems))
        shown = cell.state if cell.rows is None else f"{cell.state}, {cell.rows:,}"
        return cls(cell.state, state.colour, state.sign, shown, text)


@dataclass(frozen=True, slots=True)
class _Row:
    """One hour of all datasets in the grid; wide screens show the day at midnight and at the newest hour alone."""

    day: str
    hour: str
    midnight: bool
    cells: list[_Square]

    @classmethod
    def of(cls, hour: datetime, cells: Sequence[Cell]) -> _Row:
        return cls(f"{hour:%d %b}", f"{hour:%H}", hour.hour == 0, [_Square.of(cell) for cell in cells])


@dataclass(frozen=True, slots=True)
class _Legend:
    """A state that stands in the grid, with its sign."""

    name: str
    colour: str
    sign: str
    meaning: str


def _legend(cells: Sequence[Cell]) -> list[_Legend]:
    shown = {cell.state for cell in cells}
    return [_Legend(name, state.colour, state.sign, state.meaning) for name, state in STATES.items() if name in shown]


@dataclass(frozen=True, slots=True)
class _Key:
    """A key as the page shows it."""

    key: str
    fingerprint: str
    left: str
    state: str
    sentence: str
    section: str

    @classmethod
    def of(cls, key: KeyState) -> _Key:
        left = "no end" if key.days_left is None else f"{key.days_left}"
        sentence = key.trouble or f"{key.fingerprint} ends in {left} days."
        section = key.event.replace(".", "-") if key.trouble else "key-expiring"
        return cls(key.key, key.fingerprint, "" if key.trouble else left, key.trouble or "usable", sentence, section)


def _charts(name: str, grid: Mapping[datetime, Mapping[str, Cell]], promise: Promise | None) -> tuple[Chart, Chart]:
    cells = [(hour, grid[hour][name]) for hour in sorted(grid)]
    rows = [Point(hour, None if cell.rows is None else float(cell.rows)) for hour, cell in cells]
    late = [Point(hour, None if cell.late is None else cell.late.total_seconds() / 60) for hour, cell in cells]
    return (
        chart(f"{name}: rows an hour", rows, "{:,.0f}"),
        chart(
            f"{name}: minutes from the window's end to the partner",
            late,
            "{:,.1f}",
            promise=promise.minutes if promise else None,
        ),
    )
