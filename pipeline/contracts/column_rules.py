"""What a change of a dataset's columns does: added, removed, moved, renamed, other values, other meaning; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.contracts.compatibility import FULL, NONE, ORDER, Change, Effect
from pipeline.contracts.dataset import Column, Dataset
from pipeline.contracts.values import Surplus, beyond

VALUE_PROPERTIES: Final = (
    "type",
    "scale",
    "precision",
    "required",
    "pattern",
    "min_length",
    "max_length",
    "minimum",
    "maximum",
    "allowed",
)
"""Fields of Column that decide together which values a file may hold."""


def pairs(old: Dataset, new: Dataset) -> list[tuple[Column, Column]]:
    """Columns of both contracts that are the same: by name, or else by the warehouse's column (they were renamed)."""
    after = {column.name: column for column in new.columns}
    before = {column.name for column in old.columns}
    sources = {column.source: column for column in new.columns if column.name not in before}
    same = []
    for column in old.columns:
        other = after.get(column.name) or sources.pop(column.source, None)
        if other is not None:
            same.append((column, other))
    return same


def added_or_removed(old: Dataset, new: Dataset) -> Iterator[Change]:
    same = pairs(old, new)
    for column in old.columns:
        if column not in [column_before for column_before, _ in same]:
            backward = Effect(backward=True, forward=not column.required)
            says = "The column is not sent any more; readers by name that know it as optional take it for null."
            if column.required:
                says = "The column is not sent any more; readers of the old contract miss it."
            left = f"the column {column.name}"
            need = None
            if column.source not in {unshared.name for unshared in new.unshared}:
                need = (
                    f"Keep {column.source} in the table, as `shared: false`, until the last hour under the old "
                    "contract has left the look-back: those hours are counted anew with it."
                )
            yield Change("columns", column.name, column.type, None, says, backward, NONE, withheld=left, warehouse=need)
    after = [other for _, other in same]
    for column in new.columns:
        if column not in after:
            effect = Effect(backward=not column.required, forward=True)
            where = "before others, which move by that"
            if all(other not in after for other in new.columns[new.columns.index(column) :]):
                where = "at the end"
            says = f"A{' required' if column.required else 'n optional'} column is added {where}."
            secret = column.classification or "not classified"
            need = (
                f"The table needs the column {column.source} {column.type}: change the mart, run dbt/from_contracts.py."
            )
            if column.required:
                need += " It must be filled for every hour that may still be sent."
            opened = f"the column {column.name} ({secret})"
            yield Change("columns", column.name, None, column.type, says, effect, NONE, opened, warehouse=need)


def moved(old: Dataset, new: Dataset) -> Iterator[Change]:
    same = pairs(old, new)
    before = [column.name for column, _ in same]
    place = {other.name: column.name for column, other in same}
    after = [place[column.name] for column in new.columns if column.name in place]
    if before == after:
        return
    moved = [name for name, now in zip(before, after, strict=True) if name != now]
    silent = [
        f"{wrong.name} for {right.name}"
        for right, wrong in zip(old.columns, new.columns, strict=False)
        if place.get(wrong.name) != right.name and beyond(wrong, right) is None
    ]
    says = f"Columns moved: {', '.join(moved)}."
    if silent:
        says += f" Readers by position take {', '.join(silent)} without noticing."
    yield Change("order", None, ", ".join(before), ", ".join(after), says, FULL, NONE)


def renamed(old: Dataset, new: Dataset) -> Iterator[Change]:
    for column, other in pairs(old, new):
        if column.name != other.name:
            says = "The column has another name in the header; readers by name miss it under the old one."
            yield Change("column name", column.name, column.name, other.name, says, NONE, FULL)


def source(old: Dataset, new: Dataset) -> Iterator[Change]:
    before, after = ({column.source: column.name for column in contract.columns} for contract in (old, new))
    for column, other in pairs(old, new):
        if column.source != other.source:
            says = "Values come from another column of the warehouse; whether they mean the same cannot be told."
            effect = NONE
            if other.source in before:
                says = (
                    f"Values are those of {before[other.source]}; readers take them for {column.name} without noticing."
                )
            elif column.source in after:
                says = f"The values stand in {after[column.source]} now; readers take others for them without noticing."
            elif other.name in new.key:
                says += " If not, rows get another key, and those that the partner has are not replaced."
            elif other.name == new.change:
                says += " If not, around the deployment rows may be sent twice or not at all."
            else:
                effect = FULL
            yield Change(
                "source",
                other.name,
                column.source,
                other.source,
                says,
                effect,
                effect,
                disclosed=f"in {other.name}, whatever {other.source} holds that {column.source} did not: "
                "compare the two",
                warehouse=f"The table needs the column {other.source}.",
                proven=effect == FULL or other.source in before or column.source in after,
            )


def values(old: Dataset, new: Dataset) -> Iterator[Change]:
    for column, other in pairs(old, new):
        changed = [name for name in VALUE_PROPERTIES if getattr(column, name) != getattr(other, name)]
        if not changed:
            continue
        lost, gained = beyond(column, other), beyond(other, column)
        effect = Effect(backward=lost is None, forward=gained is None)
        says = ["Values of both contracts are the same." if effect == FULL else ""]
        says += _example("Old files may hold", "readers of the new contract", lost)
        says += _example("New files may hold", "readers of the old contract", gained)
        need = None
        if {"type", "precision", "scale"} & set(changed):
            need = f"The column {other.source} must be {_typed(other)} in the table."
        if lost is not None:
            need = " ".join(
                filter(None, [need, f"Rows whose {other.source} breaks the new rule are refused: count them."])
            )
        proven = all(surplus is None or surplus.found for surplus in (lost, gained))
        yield Change(
            "values",
            other.name,
            _rules_of(column, changed),
            _rules_of(other, changed),
            " ".join(filter(None, says)),
            effect,
            effect,
            warehouse=need,
            proven=proven,
        )


def _example(what: str, whose: str, surplus: Surplus | None) -> list[str]:
    if surplus is None:
        return []
    if not surplus.found:
        return [f"{what} values that {whose} do not read: the contrary cannot be shown."]
    shown = "an empty field" if surplus.text is None else repr(surplus.text[:40])
    return [f"{what} {shown}, which {whose} do not read."]


def unit(old: Dataset, new: Dataset) -> Iterator[Change]:
    for column, other in pairs(old, new):
        if column.unit != other.unit:
            before, now = (unit or "no unit said" for unit in (column.unit, other.unit))
            says = f"Values mean something else: {before} before, {now} now."
            yield Change(
                "unit", other.name, column.unit, other.unit, says, NONE, NONE, warehouse="Values must be converted."
            )


def classification(old: Dataset, new: Dataset) -> Iterator[Change]:
    for before_it, other in pairs(old, new):
        if before_it.classification != other.classification:
            higher = _rank(other.classification) > _rank(before_it.classification) or other.classification not in (
                None,
                *ORDER,
            )
            before, after = (column.classification or "not classified" for column in (before_it, other))
            opened = f"{other.name} is {after}, no longer {before}"
            yield Change(
                "classification",
                other.name,
                before_it.classification,
                other.classification,
                "The partner must protect the column more."
                if higher
                else "The column is less secret than it was said to be.",
                disclosed=opened if higher else None,
            )


def _rank(classification: str | None) -> int:
    return ORDER.index(classification) if classification in ORDER else -1 if classification is None else len(ORDER)


def description(old: Dataset, new: Dataset) -> Iterator[Change]:
    for column, other in pairs(old, new):
        if column.description != other.description:
            says = "The description changed. If the values mean something else now, say so by `unit` or a new column."
            yield Change("description", other.name, column.description, other.description, says)


def _typed(column: Column) -> str:
    if column.precision is None:
        return column.type
    return f"{column.type}({column.precision}, {column.scale})"


def _rules_of(column: Column, names: list[str]) -> str:
    said = [_typed(column)] if {"type", "precision", "scale"} & set(names) else []
    others = [name for name in names if name not in ("type", "precision", "scale")]
    return ", ".join(said + [f"{name} {getattr(column, name)}" for name in others])
