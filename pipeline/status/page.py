"""The state of all deliveries as one self-contained page: no script, no font, no picture from anywhere. Pure text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Final

from pipeline.keys import THRESHOLDS, KeyState
from pipeline.states import STATES
from pipeline.status.grid import Cell, Trouble, troubles
from pipeline.window import HOUR

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2330;--quiet:#667085;--paper:#fff;--line:#d9dee7;--green:#1a7f4b;
--blue:#2b6cb0;--red:#c0362c;--soft:#f3f5f9}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--quiet:#98a2b3;--paper:#12161d;--line:#2c3442;
--green:#4cc38a;--blue:#6fb1ff;--red:#ff7b72;--soft:#1b212b}}
body{font:15px/1.45 system-ui,"DejaVu Sans",sans-serif;color:var(--ink);background:var(--paper);margin:2rem auto;
max-width:80rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.25rem 0}.quiet{color:var(--quiet)}
.scroll{overflow-x:auto}table{border-collapse:collapse}
.grid td,.grid th{min-width:1.35rem;height:1.5rem;padding:0;text-align:center;font-size:.8rem;font-weight:400}
.grid td{border:1px solid var(--paper);border-radius:4px;color:#fff;cursor:default}
.grid tbody th{text-align:left;padding-right:.75rem;font-size:.95rem;position:sticky;left:0;background:var(--paper)}
.grid .day{border-left:1px solid var(--line);text-align:left;padding-left:.3rem}
.green{background:var(--green)}.blue{background:var(--blue)}.red{background:var(--red);font-weight:700}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1rem;padding:0;list-style:none;font-size:.85rem}
.legend b{display:inline-block;width:1.35rem;text-align:center;border-radius:4px;color:#fff;margin-right:.35rem}
@media(prefers-color-scheme:dark){.grid td,.legend b{color:#0b0e13}}
.grid .grey,.legend b.grey{background:var(--soft);color:var(--quiet)}
.list td,.list th{padding:.3rem .9rem .3rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
.list .number{text-align:right}.bad{color:var(--red);font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));gap:1rem}
figure{margin:0;padding:.75rem;border:1px solid var(--line);border-radius:8px}
figcaption{font-size:.9rem;margin-bottom:.4rem}svg{width:100%;height:auto;display:block}
svg text{fill:var(--quiet);font-size:10px}rect.bar{fill:var(--blue)}line{stroke:var(--line)}
"""


def page(
    grid: Mapping[datetime, Mapping[str, Cell]],
    names: Sequence[str],
    keys: Sequence[KeyState],
    keys_trouble: str | None,
    now: datetime,
) -> str:
    """The page. `grid` as `status.grid` gives it; `keys_trouble` says why keys could not be looked at, if so."""
    hours = sorted(grid)
    cells = [cell for hour in hours for cell in grid[hour].values()]
    wrong = [cell for cell in cells if not cell.well]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Deliveries</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head><body><h1>Deliveries to the partner</h1>"
        f'<p class="quiet">{len(hours)} hours until {max(hours) + HOUR:%Y-%m-%d %H:%M} UTC, '
        f"seen at {now:%Y-%m-%d %H:%M} UTC. "
        f"{_sentence(wrong)}</p>"
        f"<h2>Every hour</h2>{_grid(grid, hours, names)}{_legend(cells)}"
        f"{_attention(troubles(grid))}"
        f'<h2>Volume and duration</h2><div class="charts">{"".join(_charts(grid, hours, name) for name in names)}</div>'
        f"<h2>Keys</h2>{_keys(keys, keys_trouble)}</body></html>\n"
    )


def _sentence(wrong: Sequence[Cell]) -> str:
    return f"<b class=bad>{len(wrong)} need attention.</b>" if wrong else "Nothing needs attention."


def _grid(grid: Mapping[datetime, Mapping[str, Cell]], hours: Sequence[datetime], names: Sequence[str]) -> str:
    days: dict[str, int] = {}
    for hour in hours:
        days[f"{hour:%Y-%m-%d}"] = days.get(f"{hour:%Y-%m-%d}", 0) + 1
    head = "".join(f'<th class="day" colspan="{count}">{day}</th>' for day, count in days.items())
    marks = "".join(f"<th scope=col>{hour:%H}</th>" for hour in hours)
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th>{''.join(_square(grid[hour][name]) for hour in hours)}</tr>"
        for name in names
    )
    return (
        f'<div class="scroll"><table class="grid"><thead><tr><th></th>{head}</tr><tr><th></th>{marks}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _square(cell: Cell) -> str:
    figures = [f"{cell.rows:,} rows"] if cell.rows is not None else []
    figures += [f"{cell.bytes:,} bytes"] if cell.bytes is not None else []
    told = f"{cell.slot.dataset} {cell.slot.window.start:%Y-%m-%d %H:%M} r{cell.revision}: {cell.state}"
    text = "\n".join((", ".join((told, *figures)), *cell.problems))
    return (
        f'<td class="{STATES[cell.state].colour}" data-state="{escape(cell.state)}" title="{escape(text)}">'
        f"{STATES[cell.state].sign}</td>"
    )


def _legend(cells: Sequence[Cell]) -> str:
    shown = {cell.state for cell in cells}
    entries = "".join(
        f'<li><b class="{state.colour}">{state.sign}</b>{name}: {escape(state.meaning)}</li>'
        for name, state in STATES.items()
        if name in shown
    )
    return f'<ul class="legend">{entries}</ul>'


def _attention(found: Sequence[Trouble]) -> str:
    if not found:
        return ""
    rows = "".join(
        f"<tr><td>{escape(one.dataset)}</td><td>{one.window.start:%Y-%m-%d %H:%M}</td><td>{len(one.window)} h</td>"
        f'<td class="bad">{escape(one.state)}</td><td>{"<br>".join(map(escape, one.problems))}</td></tr>'
        for one in found
    )
    return (
        '<h2>Needs attention</h2><div class="scroll"><table class="list attention"><thead><tr><th>dataset'
        f"<th>from (UTC)<th>for<th>state<th>what</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _charts(grid: Mapping[datetime, Mapping[str, Cell]], hours: Sequence[datetime], name: str) -> str:
    def of(value: Callable[[Cell], float | None]) -> list[tuple[datetime, float]]:
        return [(hour, float(value(grid[hour][name]) or 0)) for hour in hours]

    return _chart(f"{name}: rows an hour", of(lambda cell: cell.rows), "{:,.0f}") + _chart(
        f"{name}: seconds from plan to partner", of(lambda cell: cell.seconds), "{:,.1f}"
    )


def _chart(title: str, values: Sequence[tuple[datetime, float]], form: str) -> str:
    """Bars from zero, one an hour, the largest as high as the frame; each tells its figure when pointed at."""
    wide, high, left = 480, 90, 48
    most = max((value for _, value in values), default=0) or 1
    step = (wide - left) / max(len(values), 1)
    bars = "".join(
        f'<rect class="bar" x="{left + number * step:.1f}" y="{high - value / most * high + 10:.1f}" '
        f'width="{step * 0.8:.1f}" height="{value / most * high:.1f}">'
        f"<title>{hour:%Y-%m-%d %H:%M}: {form.format(value)}</title></rect>"
        for number, (hour, value) in enumerate(values)
    )
    days = "".join(
        f'<text x="{left + number * step:.1f}" y="{high + 24}">{hour:%d %b %H:%M}</text>'
        for number, (hour, _) in enumerate(values)
        if number % max(len(values) // 4, 1) == 0 and number * step < wide - left - 40
    )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {wide} {high + 30}" role="img" '
        f'aria-label="{escape(title)}"><line x1="{left}" x2="{wide}" y1="{high + 10}" y2="{high + 10}"/>'
        f'<text x="0" y="18">{form.format(most)}</text><text x="0" y="{high + 10}">0</text>{bars}{days}</svg></figure>'
    )


def _keys(keys: Sequence[KeyState], trouble: str | None) -> str:
    if trouble is not None:
        return f'<p class="bad">The keys could not be looked at: {escape(trouble)}</p>'
    rows = "".join(
        f"<tr><td>{escape(key.key)}</td><td>{escape(key.fingerprint)}</td>{_left(key)}"
        f"<td>{escape(key.trouble or 'usable')}</td></tr>"
        for key in keys
    )
    return (
        '<div class="scroll"><table class="list keys"><thead><tr><th>key<th>fingerprint<th class="number">days left'
        f"<th>state</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _left(key: KeyState) -> str:
    if key.days_left is None:
        return f'<td class="number{" bad" if key.trouble else ""}">{"" if key.trouble else "no end"}</td>'
    return f'<td class="number{" bad" if key.days_left <= max(THRESHOLDS) else ""}">{key.days_left}</td>'
