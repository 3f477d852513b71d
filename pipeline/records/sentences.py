"""What records say, in sentences for people: which rule rows break, what the partner rejected; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pipeline.contracts.dataset import Column, Dataset
from pipeline.records.schema import Refused, Rejected, Violation

LISTED: Final = 10
"""Allowed values that a sentence lists."""

_BREAKS: Final[Mapping[str, Callable[[Column], str]]] = {
    "required": lambda column: "have no value",
    "pattern": lambda column: f"break {column.pattern}",
    "minLength": lambda column: f"are shorter than {column.min_length} characters",
    "maxLength": lambda column: f"are longer than {column.max_length} characters",
    "enum": lambda column: f"are none of {_listed(column.allowed or ())}",
    "precision": lambda column: f"have more digits than {column.type}({column.precision}, {column.scale})",
    "scale": lambda column: f"have more than {column.scale} decimal places",
    "minimum": lambda column: f"are below {column.minimum}",
    "maximum": lambda column: f"are above {column.maximum}",
    "window": lambda column: "are of another hour",
    "formula": lambda column: "begin as a formula does",
    "nul": lambda column: "hold the character NUL",
}
"""What is wrong with rows that break a rule of the contract, by the rule's name in records."""


_SINGULAR: Final = {"have": "has", "break": "breaks", "are": "is", "begin": "begins", "hold": "holds"}

_OTHERWISE: Final[Mapping[str, str]] = {"unique": "have the key of another row"}
"""Of rules that are about no single column."""


def violation(broken: Violation, contract: Dataset | None) -> str:
    """A broken rule with its rows: `currency: 15 rows break ^[A-Z]{3}$`; without the contract by the rule's name."""
    column = next((column for column in (contract.columns if contract else ()) if column.name == broken.column), None)
    says = _BREAKS.get(broken.rule)
    breaks = says(column) if says and column else _OTHERWISE.get(broken.rule, f"break the rule {broken.rule}")
    verb, _, rest = breaks.partition(" ")
    return f"{broken.column}: {rows(broken.rows)} {_SINGULAR[verb] if broken.rows == 1 else verb} {rest}"


def refusal(record: Refused, contract: Dataset | None) -> tuple[str, ...]:
    """Every rule that the rows of a refused part break."""
    return tuple(violation(broken, contract) for broken in record.rules)


def rejection(sent: str, record: Rejected) -> str:
    """The rejection of a file of ours, with the rows by reason where they were read."""
    counted = ""
    if record.reasons is not None:
        by_reason = ", ".join(f"{reason.rows:,} {reason.reason}" for reason in record.reasons)
        counted = f", {rows(sum(reason.rows for reason in record.reasons))}" + (f": {by_reason}" if by_reason else "")
    return f"the partner rejected {sent}: it returned {record.file_name}{counted}"


def rows(number: int) -> str:
    """`1 row`, `15 rows`."""
    return f"{number:,} row{'' if number == 1 else 's'}"


def _listed(values: tuple[str, ...]) -> str:
    more = len(values) - LISTED
    return ", ".join(values[:LISTED]) + (f" and {more} more" if more > 0 else "")
