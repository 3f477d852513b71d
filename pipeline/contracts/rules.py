"""The table of rules: what a change of each property does that the reader of contracts honours; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.contracts import column_rules
from pipeline.contracts.column_rules import pairs
from pipeline.contracts.compatibility import FULL, NONE, Change, Comparison, Effect
from pipeline.contracts.dataset import Dataset, Policy
from pipeline.contracts.filters import direction
from pipeline.window import rfc3339

Judge = Callable[[Dataset, Dataset], Iterator[Change]]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a change of these properties does: fields of Dataset, or of Column after a dot, judged together."""

    name: str
    properties: tuple[str, ...]
    meaning: str
    judge: Judge


def compare(old: Dataset, new: Dataset) -> Comparison:
    """Every change from one contract to the other."""
    changes = [change for rule in RULES for change in rule.judge(old, new)]
    if not changes and old.text != new.text:
        changes = [
            Change(
                "text",
                None,
                None,
                None,
                "No file changes by it. Run dbt/from_contracts.py: partitions and words are the mart's too.",
            )
        ]
    return Comparison(old, new, tuple(changes))


def _name(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.name != new.name:
        says = f"The dataset {old.name} ends, and {new.name} begins; records and files go by the name."
        yield Change("name", None, old.name, new.name, says, NONE, NONE, disclosed=f"the dataset {new.name}")


def _nothing(old: Dataset, new: Dataset) -> Iterator[Change]:
    """Judged in the end, against all other changes."""
    return iter(())


def _table(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.table != new.table:
        yield Change(
            "table",
            None,
            old.table,
            new.table,
            "Rows come from another table; its rows and values may be others.",
            disclosed=f"whatever {new.table} holds that {old.table} did not: compare the two",
            warehouse=f"The table {new.table} must be there with every column, complete for the look-back.",
        )


def _filter(old: Dataset, new: Dataset) -> Iterator[Change]:
    says = {
        "wider": "More rows pass the filter.",
        "narrower": "Fewer rows pass the filter; of those that do not pass any more the partner keeps what it has.",
        "unknown": "Other rows pass the filter; from its form it cannot be told which.",
    }
    way = direction(old.filter, new.filter)
    if way == "same":
        return
    opened = {
        "wider": f"rows that pass `{new.filter or 'TRUE'}` and did not pass `{old.filter}`",
        "unknown": f"any row that passes `{new.filter}` and did not pass `{old.filter}`: count them",
    }
    closed = {
        "narrower": f"changes of rows that pass `{old.filter or 'TRUE'}` and do not pass `{new.filter}`",
        "unknown": f"changes of any row that passes `{old.filter}` and does not pass `{new.filter}`: count them",
    }
    yield Change(
        "filter",
        None,
        old.filter,
        new.filter,
        says[way],
        disclosed=opened.get(way),
        withheld=closed.get(way),
        warehouse="Columns that the filter names must be there.",
        proven=way != "unknown",
    )


def _key(old: Dataset, new: Dataset) -> Iterator[Change]:
    names = {column.name: other.name for column, other in pairs(old, new)}
    before, after = [names.get(name, name) for name in old.key], list(new.key)
    if before == after:
        return
    if sorted(before) == sorted(after):
        says, effect = "The key's columns stand in another order; which rows replace each other does not change.", FULL
    else:
        says, effect = "Other rows replace each other: whoever keeps the latest row of a key holds other rows.", NONE
    yield Change(
        "key",
        None,
        ", ".join(old.key),
        ", ".join(new.key),
        says,
        effect,
        effect,
        warehouse="The key must be unique there.",
    )


def _change_column(old: Dataset, new: Dataset) -> Iterator[Change]:
    names = {column.name: other.name for column, other in pairs(old, new)}
    if names.get(old.change, old.change) == new.change:
        return
    says = (
        "A row's hour is read from another column: values outside the file's window appear, and around the deployment "
        "rows may be sent twice or not at all, unless those hours are published with revise."
    )
    need = f"{new.change} must be the partition column, and the watermark must speak of it."
    yield Change("change column", None, old.change, new.change, says, NONE, NONE, warehouse=need)


def _watermark(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.watermark != new.watermark:
        says = "Another table says when an hour is complete."
        if new.watermark is None:
            says = "Nothing says any more when an hour is complete: late rows become more likely."
        need = f"{new.watermark} must be written for every build." if new.watermark else None
        yield Change("watermark", None, old.watermark, new.watermark, says, warehouse=need)


def _totals(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.totals != new.totals:
        before, after = (", ".join(map(str, contract.totals)) for contract in (old, new))
        says = "Other control totals are recorded; files stay as they are."
        yield Change("control totals", None, before, after, says)


def _file_name(old: Dataset, new: Dataset) -> Iterator[Change]:
    before, after = (contract.file_name.replace("{dataset}", contract.name) for contract in (old, new))
    if before != after:
        says = "Files have other names: whoever looks for the old ones finds none."
        yield Change("file name", None, old.file_name, new.file_name, says, NONE, NONE)


def _empty(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.empty_file == new.empty_file:
        return
    before, after = ("file" if contract.empty_file else "record" for contract in (old, new))
    says, effect = (
        "An hour without rows sends a file with the header alone; before, it sent nothing.",
        Effect(False, True),
    )
    if old.empty_file:
        says, effect = (
            "An hour without rows sends nothing; whoever waits for a file each hour misses it.",
            Effect(True, False),
        )
    yield Change("empty window", None, before, after, says, effect, effect)


def _series(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.series_name != new.series_name:
        says = f"Deliveries are asked for and recorded under the name {new.series}; their revisions begin at 1."
        yield Change("series", None, old.series, new.series, says)


def _unshared(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.unshared != new.unshared:
        before, after = (", ".join(" ".join(one) for one in contract.unshared) for contract in (old, new))
        says, need = "Columns changed that are not shared.", "Change the mart, run dbt/from_contracts.py."
        yield Change("not shared", None, before, after, says, warehouse=need)


def _first_hour(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.starts != new.starts:
        before, after = (rfc3339(contract.starts) if contract.starts else None for contract in (old, new))
        says = "Under this contract, hours are sent from another one on; those before are not sent again."
        later = new.starts is not None and (old.starts is None or new.starts > old.starts)
        withheld = f"every hour before {after} that was not sent before the deployment" if later else None
        disclosed = None if later else f"hours from {after or 'the first one'} to {before}"
        if old.series != new.series:  # those hours are sent under the other name
            withheld = disclosed = None
        yield Change("first hour", None, before, after, says, disclosed=disclosed, withheld=withheld)


def _end(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.ends != new.ends:
        before, after = (rfc3339(contract.ends) if contract.ends else None for contract in (old, new))
        sooner = new.ends is not None and (old.ends is None or new.ends < old.ends)
        says = f"Files of this contract end at {after}." if after else "Files of this contract do not end any more."
        withheld = f"every hour from {after} on" if sooner else None
        disclosed = None if sooner or old.series != new.series else f"hours from {before} on"
        yield Change("end", None, before, after, says, disclosed=disclosed, withheld=withheld)


def _formulas(old: Dataset, new: Dataset) -> Iterator[Change]:
    yield from _policy("formulas", "Texts that a spreadsheet would carry out", old.formulas, new.formulas)


def _nul(old: Dataset, new: Dataset) -> Iterator[Change]:
    yield from _policy("nul", "Texts with the character NUL", old.nul, new.nul)


def _policy(rule: str, what: str, old: Policy, new: Policy) -> Iterator[Change]:
    if old == new:
        return
    effect = NONE
    if "escape" not in (old, new):
        effect = Effect(backward=old == "refuse", forward=new == "refuse")
    says = {"pass": "come as they are", "refuse": "stop the delivery", "escape": "come escaped"}
    yield Change(rule, None, old, new, f"{what} {says[new]}; before, they {says[old]}.", effect, effect)


def _partner_reads(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.partner_reads != new.partner_reads:
        how = f"by {new.partner_reads}" if new.partner_reads else "in a way that is not known"
        says = f"The partner reads {how}; from the next change on the version follows from that."
        yield Change("partner reads", None, old.partner_reads, new.partner_reads, says)


def _promise(old: Dataset, new: Dataset) -> Iterator[Change]:
    if old.promise != new.promise:
        before, now = (str(contract.promise) if contract.promise else None for contract in (old, new))
        says = f"Punctuality is promised as {now}; before, {before or 'nothing was promised'}."
        yield Change("promise", None, before, now, says if now else "Punctuality is not promised any more.")


RULES: Final = (
    Rule("name", ("name",), "another dataset", _name),
    Rule("text", ("text",), "any other text is another contract, with a version of its own", _nothing),
    Rule("version", ("version",), "raised at least as far as the other changes ask", _nothing),
    Rule("table", ("table",), "other rows and values may be disclosed", _table),
    Rule(
        "filter",
        ("filter",),
        "wider discloses rows, narrower withholds changes; what cannot be told counts as both",
        _filter,
    ),
    Rule(
        "columns",
        ("columns",),
        "one added is disclosed, one removed is withheld; by position neither is read",
        column_rules.added_or_removed,
    ),
    Rule("order", ("columns",), "by name nothing; by position values stand for others", column_rules.moved),
    Rule("column name", ("columns.name",), "by position nothing; by name it is missed", column_rules.renamed),
    Rule(
        "source",
        ("columns.source",),
        "the file's form stays; what the values disclose may not, and another column's values are read as this one's",
        column_rules.source,
    ),
    Rule("not shared", ("unshared",), "nothing in the file; the mart follows", _unshared),
    Rule(
        "values",
        tuple(f"columns.{name}" for name in column_rules.VALUE_PROPERTIES),
        "the values that the column may hold are compared as sets, type and all rules together",
        column_rules.values,
    ),
    Rule("unit", ("columns.unit",), "looks alike and means something else", column_rules.unit),
    Rule("classification", ("columns.classification",), "a higher one is a disclosure", column_rules.classification),
    Rule(
        "description",
        ("columns.description",),
        "words alone; people decide whether the meaning changed",
        column_rules.description,
    ),
    Rule("key", ("key",), "other rows replace each other; the order of its columns is free", _key),
    Rule("change column", ("change",), "a row belongs to another hour", _change_column),
    Rule("watermark", ("watermark",), "nothing in the file", _watermark),
    Rule("control totals", ("totals",), "nothing in the file", _totals),
    Rule("file name", ("file_name",), "files are not found under the old name", _file_name),
    Rule("partner reads", ("partner_reads",), "nothing in the file; says which kind of reader counts", _partner_reads),
    Rule("series", ("series_name",), "deliveries are counted anew under another name", _series),
    Rule("first hour", ("starts",), "later withholds the hours before it, sooner discloses them", _first_hour),
    Rule("end", ("ends",), "sooner withholds the hours from it on, later discloses them", _end),
    Rule("promise", ("promise",), "nothing in the file; the partner learns how punctual it will be", _promise),
    Rule("formulas", ("formulas",), "refusing says less may come, escaping writes other texts", _formulas),
    Rule("nul", ("nul",), "refusing says less may come, escaping writes other texts", _nul),
    Rule("empty window", ("empty_file",), "a file more, or one less, in an hour without rows", _empty),
)
"""Each property that the reader honours stands in at least one rule."""
